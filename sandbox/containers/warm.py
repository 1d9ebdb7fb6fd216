"""One set kept ready: built after a trial has ended, so that it takes nothing from a training."""

import threading
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor

import structlog

from sandbox.containers.container import StartFailed, Undead
from sandbox.containers.host import Host
from sandbox.containers.quarantine import Quarantine
from sandbox.containers.sets import ContainerSet, DataChanged, Plan
from sandbox.errors import SandboxError

log = structlog.get_logger(__name__)


class WarmSets:
    """Gives sets out; a set that waited in vain or fits no more is removed."""

    def __init__(self, host: Host, quarantine: Quarantine) -> None:
        self._host = host
        self._quarantine = quarantine
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
                except (SandboxError, StartFailed, DataChanged) as fault:
                    log.warning("warm set failed", fault=str(fault))
                else:
                    if self._waits(containers):
                        return containers
                    self.retire(containers)
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
        self._submit(lambda: self.close(containers))

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
                self.close(future.result())

        self._submit(close)

    def _waits(self, containers: ContainerSet) -> bool:
        try:
            return containers.waiting()
        except SandboxError as fault:
            log.warning("warm set lost", fault=str(fault))
            return False

    def _build(self, plan: Plan) -> ContainerSet:
        containers = ContainerSet(self._host.engine, plan, self._host.uids)
        try:
            containers.start()
        except BaseException:
            self.close(containers)
            raise
        return containers

    def close(self, containers: ContainerSet) -> None:
        """Remove a set now, or what is left of it later: no agent code runs in it."""
        try:
            containers.close()
        except Undead as fault:
            self._quarantine.admit(containers.close, str(fault))
