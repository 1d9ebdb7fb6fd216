"""One set kept ready: built after a trial has ended, so that it takes nothing from a training."""

import threading
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor

import structlog

from sandbox.container import StartFailed
from sandbox.errors import SandboxError
from sandbox.host import Host
from sandbox.sets import ContainerSet, DataChanged, Plan

log = structlog.get_logger(__name__)


class WarmSets:
    """Gives sets out; a set that waited in vain or fits no more is removed."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="warm")
        self._removals: set[Future[None]] = set()
        self._next: tuple[Plan, Future[ContainerSet]] | None = None

    def take(self, plan: Plan) -> ContainerSet:
        """A set of this plan: the one that is ready, or one built now.

        Raises what building raises.
        """
        with self._lock:
            ready, self._next = self._next, None
        if ready is not None:
            if ready[0] == plan:
                try:
                    containers = ready[1].result()
                    if containers.waiting():
                        return containers
                    self.retire(containers)
                except (SandboxError, StartFailed, DataChanged) as fault:
                    log.warning("warm set failed", fault=str(fault))
            else:
                self._retire_later(ready[1])
        return self._build(plan)

    def renew(self, plan: Plan) -> None:
        """Begin to build the next set of this plan in the background."""
        with self._lock:
            if self._next is None:
                self._next = (plan, self._pool.submit(self._build, plan))

    def wait(self) -> None:
        """Until the set under way is ready: for measurements."""
        with self._lock:
            ready = self._next
        if ready is not None:
            ready[1].exception()

    def retire(self, containers: ContainerSet) -> None:
        """Remove a set in the background."""
        self._submit(lambda: self._close(containers))

    def stop(self) -> None:
        """Remove the set that waits, and wait for every removal."""
        with self._lock:
            ready, self._next = self._next, None
        if ready is not None:
            self._retire_later(ready[1])
        self._pool.shutdown(wait=True)

    def drop(self) -> None:
        """Remove the set that waits, and wait for every removal: its task is going away."""
        with self._lock:
            ready, self._next = self._next, None
        if ready is not None:
            self._retire_later(ready[1])
        with self._lock:
            removals = list(self._removals)
        futures.wait(removals)

    def _submit(self, act: Callable[[], None]) -> None:
        removal = self._pool.submit(act)
        with self._lock:
            self._removals.add(removal)
        removal.add_done_callback(self._removals.discard)

    def _retire_later(self, future: "Future[ContainerSet]") -> None:
        def close() -> None:
            if future.exception() is None:
                self._close(future.result())

        self._submit(close)

    def _build(self, plan: Plan) -> ContainerSet:
        return ContainerSet(self._host.engine, plan, self._host.uids)

    def _close(self, containers: ContainerSet) -> None:
        try:
            containers.close()
        except (SandboxError, StartFailed) as fault:
            log.warning("set not removed; the reaper will", fault=str(fault))
