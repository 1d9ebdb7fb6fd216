"""The reaper: removes what this instance created and no longer needs, by label alone.

At start and stop: every container, every artifact volume. On a timer: what is past its deadline.
Data and baselines of tasks are never touched; `forget` removes them.
"""

import threading
import time
from collections.abc import Callable, Mapping

import structlog

from sandbox.api import Reaped
from sandbox.engine import Engine
from sandbox.errors import EngineUnavailable, SandboxError
from sandbox.policy import LABEL

log = structlog.get_logger(__name__)


def reap(engine: Engine, instance: str, *, overdue_only: bool = False) -> Reaped:
    """Remove what carries the instance's label.

    Raises what the engine raises, and `EngineUnavailable` when all was tried and some is left.
    """
    reaped, left = sweep(engine, instance, overdue_only=overdue_only)
    if left:
        raise EngineUnavailable(
            f"{len(left)} containers can't be removed, {left[0][:12]} the first.",
            "See the engine's log, or restart it.",
        )
    return reaped


def sweep(engine: Engine, instance: str, *, overdue_only: bool = False) -> tuple[Reaped, list[str]]:
    """The same; gives the ids of containers that can't be removed."""

    def stays(labels: Mapping[str, str] | None) -> bool:
        deadline = int((labels or {}).get(LABEL + "deadline") or 0)
        return overdue_only and (not deadline or time.time() < deadline)

    removed, left, volumes = 0, [], 0
    for found in engine.containers({LABEL + "instance": instance}):
        if stays(found.get("Labels")):
            continue
        try:
            engine.remove(found["Id"])
            removed += 1
        except EngineUnavailable as fault:
            left.append(str(found["Id"]))
            log.warning("not reaped", container=found["Id"][:12], fault=str(fault))
    artifacts = {LABEL + "instance": instance, LABEL + "role": "artifact"}
    for volume in engine.volumes(artifacts):
        if stays(volume.get("Labels")):
            continue
        try:
            engine.remove_volume(volume["Name"])
            volumes += 1
        except EngineUnavailable as fault:
            if not left:  # else it is the containers', and goes with them
                raise
            log.warning("not reaped", volume=volume["Name"], fault=str(fault))
    if removed or volumes:
        log.info("reaped", containers=removed, volumes=volumes)
    return Reaped(containers=removed, volumes=volumes), left


def remove_with_artifact(engine: Engine, container: str, labels: Mapping[str, str]) -> None:
    """Remove a container that could not be removed, and the artifact that it kept."""
    engine.remove(container)
    kept = {name: labels[name] for name in (LABEL + "instance", LABEL + "trial")}
    for volume in engine.volumes(kept | {LABEL + "role": "artifact"}):
        engine.remove_volume(volume["Name"])


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
