"""The reaper: removes what this instance created and no longer needs, by label alone.

At start and stop: every container, every artifact volume. On a timer: what is past its deadline.
Data and baselines of tasks are never touched; `forget` removes them.
"""

import threading
import time
from collections.abc import Callable

import structlog

from sandbox.api import Reaped
from sandbox.engine import Engine
from sandbox.errors import SandboxError
from sandbox.policy import LABEL

log = structlog.get_logger(__name__)


def reap(engine: Engine, instance: str, *, overdue_only: bool = False) -> Reaped:
    """Remove what carries the instance's label. Raises what the engine raises."""
    containers = volumes = 0
    for found in engine.containers({LABEL + "instance": instance}):
        deadline = int((found.get("Labels") or {}).get(LABEL + "deadline") or 0)
        if overdue_only and time.time() < deadline:
            continue
        engine.remove(found["Id"])
        containers += 1
    if not overdue_only:
        artifacts = {LABEL + "instance": instance, LABEL + "role": "artifact"}
        for volume in engine.volumes(artifacts):
            engine.remove_volume(volume["Name"])
            volumes += 1
    if containers or volumes:
        log.info("reaped", containers=containers, volumes=volumes)
    return Reaped(containers=containers, volumes=volumes)


class ReaperTimer:
    """Reaps what is overdue, every so often, until it is stopped."""

    def __init__(self, act: Callable[[], Reaped], seconds: float = 60.0) -> None:
        self._act = act
        self._seconds = seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reaper", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            try:
                self._act()
            except SandboxError as fault:
                log.warning("reaper failed", fault=str(fault))

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join(5)
