"""Keeps one task's run going for days, unattended: what `sealed serve TASK` does beside the page.

A run that halts for a reason of its own (limits, a person's stop, no more candidates) stays halted
until a person wants it to go on. What is not the run's doing (the sandbox is restarting, the disk
is full, the engine is down) is waited for, and the run goes on by itself.
"""

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import structlog
from msgspec import Struct
from msgspec.structs import replace

from controller.candidate import Unfit
from controller.driver import Order, drive
from controller.errors import Busy, ControllerError, Unsafe
from controller.ledger import Experiment, Halt, RunLimits, Wanted
from controller.runs import all_runs, files_of, reading, wanted
from controller.task import find_task, read_task
from controller.text import one_line
from sandbox.api import Progress, Sandbox
from sandbox.errors import Cancelled, EngineUnavailable, Internal, NoSpace, SandboxError

log = structlog.get_logger(__name__)

_LOOK_SECONDS = 2.0
WAIT_SECONDS = (2.0, 5.0, 10.0, 30.0)
"""How long to wait for what is not the run's doing, the first time and later."""
_PASSING = (EngineUnavailable, NoSpace, Internal, Cancelled, Busy, Unsafe)
"""Errors that may be over by themselves: the sandbox restarts, somebody mends the machine."""


_UNREADABLE = (ControllerError, OSError, sqlite3.Error)


class Doing(StrEnum):
    """What the supervisor is about."""

    preparing = "preparing"
    """From the start to the run: the sandbox is found, the task prepared and checked."""
    driving = "driving"
    """A run is driven; its own status says the rest."""
    waiting = "waiting"
    """Something is wrong that may pass; it tries again."""
    halted = "halted"
    """Nothing is to be done until a person wants it."""


class Serving(Struct, frozen=True, kw_only=True):
    """How the supervisor stands, for the page."""

    task: str
    doing: Doing
    since: str
    """UTC, ISO 8601."""
    run: str | None = None
    """The name of the run, once there is one."""
    stage: Progress | None = None
    """Of preparing."""
    problem: str = ""
    """What is wrong, where it waits or has halted."""
    next_step: str = ""


class Supervisor:
    """Drives one task's run until it is interrupted. Implements `driver.Viewer`."""

    def __init__(
        self, order: Order, connected: Callable[[], AbstractContextManager[Sandbox]]
    ) -> None:
        """`order` has no name: the task's newest run goes on, or its first one begins."""
        self._order = order
        self._connected = connected
        self._failures = 0
        """Since a run was last opened."""
        self._lock = threading.Lock()
        self._serving = Serving(task=order.task, doing=Doing.preparing, since=_now())

    def serving(self) -> Serving:
        """How it stands; may be asked from any thread."""
        with self._lock:
            return self._serving

    def run(self) -> None:
        """Drive the run, for ever; `KeyboardInterrupt` ends it with the trial cancelled."""
        while True:
            self._tell(Doing.preparing)
            before = self._signs()
            trouble = self._attempt()
            if trouble.passes:
                self._tell(Doing.waiting, trouble)
                time.sleep(WAIT_SECONDS[min(self._failures, len(WAIT_SECONDS) - 1)])
                self._failures += 1
            else:
                self._tell(Doing.halted, trouble)
                while self._signs() == before or self._is_held():
                    time.sleep(_LOOK_SECONDS)

    def _attempt(self) -> "_Trouble":
        """Drive the run as far as it goes, and say what ended that."""
        try:
            folder = _newest_run(self._order.task)
            name = None if folder is None else folder.name
            ended = drive(replace(self._order, name=name), self._connected, self).end
        except (ControllerError, SandboxError) as fault:
            trouble = _Trouble(
                problem=fault.message,
                next_step=fault.next_step,
                passes=isinstance(fault, _PASSING),
            )
        except (OSError, sqlite3.Error) as fault:
            next_step = "Look at free space and permissions."
            trouble = _Trouble(problem=f"A file can't be used: {fault}.", next_step=next_step)
        else:
            trouble = _Trouble(problem=ended.detail, passes=ended.halt is Halt.disk)
        log.info("halted", problem=trouble.problem, passes=trouble.passes)
        return trouble

    def _signs(self) -> tuple[str, str]:
        """What changes when a person mends the task or says `sealed resume`."""
        try:
            files = repr(read_task(find_task(self._order.task)))
        except ControllerError as fault:
            files = fault.message
        try:
            if folder := _newest_run(self._order.task):
                with reading(folder) as (ledger, _):
                    return files, ledger.wanted_at()
        except _UNREADABLE:
            pass  # the next look may be luckier; meanwhile it is no sign
        return files, ""

    def _is_held(self) -> bool:
        """Whether a person holds the run that would go on."""
        try:
            folder = _newest_run(self._order.task)
            return folder is not None and wanted(folder) is not Wanted.running
        except _UNREADABLE:
            return False

    def _tell(self, doing: Doing, trouble: "_Trouble | None" = None) -> None:
        trouble = trouble or _Trouble()
        with self._lock:
            self._serving = replace(
                self._serving,
                doing=doing,
                since=_now(),
                stage=None,
                problem=trouble.problem,
                next_step=trouble.next_step,
            )

    # ---- what the driver tells ------------------------------------------------------------------

    def opened(self, folder: Path, metric: str, *, goes_on: bool) -> None:
        """See `Viewer`."""
        log.info("run", name=folder.name, metric=metric, goes_on=goes_on)
        self._failures = 0
        # Limits are for the start: a later `sealed resume --experiments` is not to be undone.
        self._order = replace(self._order, limits=RunLimits())
        self._tell(Doing.driving)
        with self._lock:
            self._serving = replace(self._serving, run=folder.name)

    def say(self, line: str) -> None:
        """See `Viewer`."""
        log.info("told", line=line)

    def progress(self, progress: Progress) -> None:
        """See `Watcher`; what a trial does is in the run's ledger."""
        log.debug("stage", stage=progress.stage, detail=progress.detail)
        with self._lock:
            if self._serving.doing is Doing.preparing:
                self._serving = replace(self._serving, stage=progress, since=_now())

    def begun(self, experiment: Experiment) -> None:
        """See `Watcher`."""

    def recorded(self, experiment: Experiment) -> None:
        """See `Watcher`."""
        log.info(
            "recorded",
            experiment=experiment.number,
            decision=experiment.decision,
            outcome=experiment.outcome,
            score=experiment.score,
            hypothesis=one_line(experiment.hypothesis, 100),
        )

    def refused(self, unfit: Unfit) -> None:
        """See `Watcher`."""
        log.info("refused", reason=one_line(unfit.reason, 200))


class _Trouble(Struct, frozen=True, kw_only=True):
    """Why a run does not go on."""

    problem: str = ""
    next_step: str = ""
    passes: bool = True
    """It may be over by itself."""


def _newest_run(task: str) -> Path | None:
    """The newest run that began with the task's present files; None: there is none."""
    files = read_task(find_task(task))
    for folder in reversed(all_runs()):
        if files_of(folder) == files:
            return folder
    return None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
