"""The reaper: removes what this instance created and no longer needs, by label alone.

At start and stop: every container, every artifact volume. On a timer: what is past its deadline,
and what nobody here had made: the engine may still be making a container for a process that was
killed, when the next one has looked. Data and baselines of tasks are never touched; `forget`
removes them.
"""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from sandbox.api import Reaped
from sandbox.containers.uids import UidPairs
from sandbox.engine import Engine
from sandbox.errors import EngineUnavailable, SandboxError
from sandbox.policy import LABEL

log = structlog.get_logger(__name__)


def reap(
    engine: Engine, instance: str, *, overdue_only: bool = False, uids: UidPairs | None = None
) -> Reaped:
    """Remove what carries the instance's label; `uids` are those of this process's containers.

    Raises what the engine raises, and `EngineUnavailable` when all was tried and some is left.
    """
    reaped, left = sweep(engine, instance, overdue_only=overdue_only, uids=uids)
    if left:
        raise EngineUnavailable(
            f"{len(left)} containers can't be removed, {left[0][:12]} the first.",
            "See the engine's log, or restart it.",
        )
    return reaped


def sweep(
    engine: Engine, instance: str, *, overdue_only: bool = False, uids: UidPairs | None = None
) -> tuple[Reaped, list[str]]:
    """The same; gives the ids of containers that can't be removed."""

    def stays(labels: Mapping[str, str] | None) -> bool:
        deadline = int((labels or {}).get(LABEL + "deadline") or 0)
        return overdue_only and (not deadline or time.time() < deadline)

    removed, left, volumes = 0, [], 0
    for found in engine.containers({LABEL + "instance": instance}):
        if stays(found.get("Labels")) and not (uids and _is_nobodys(found, uids)):
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


def _is_nobodys(found: Mapping[str, Any], uids: UidPairs) -> bool:
    """Whether a container was made and not started, and its name has no timer uid that is out."""
    numbers = [int(part) for part in str(found["Names"][0]).split("-") if part.isdecimal()]
    return found["State"] == "created" and not any(map(uids.is_leased, numbers))


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
