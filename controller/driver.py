"""Drives a run of a task from its beginning or from where it stopped, until it halts.

The loop knows runs that are open; this is what comes before and around it: read the task, claim a
folder, have the data prepared and checked, go on with the run that is there or create one, and
wait while a person holds it.
"""

import secrets
import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from shutil import disk_usage
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from controller.agents import Kind, find_source, make_agent, model_writes
from controller.agents.base import Agent
from controller.decision.rules import baseline_trials
from controller.errors import Unusable
from controller.gate import admit, is_accepted
from controller.halting import Halted, is_full
from controller.ledger import Halt, NewRun, RunLimits, RunRow, Wanted
from controller.loop import Loop, Watcher
from controller.run import Run
from controller.runs import claimed, created, files_of, runs_root, wanted
from controller.task import find_task, read_task
from controller.text import spoken
from sandbox.api import Advisory, Check, Progress, Sandbox, Stage, TaskFiles
from sandbox.errors import NoSpace

_LOOK_SECONDS = 0.5
_DISK_SECONDS = 10.0
"""Between two tries on a disk that is full."""


class Order(Struct, frozen=True, kw_only=True):
    """What a person asked for."""

    task: str
    """A task's folder, or its name below `tasks`."""
    name: str | None = None
    """Of the run; one that exists is gone on with. None: a new one."""
    agent: Kind | None = None
    source: str | None = None
    """What a replay proposes from: a folder, or a run."""
    limits: RunLimits = RunLimits()
    accepted: tuple[Advisory, ...] = ()
    """Findings of the doctor to run in spite of."""


class Viewer(Watcher, Protocol):
    """Is told also what is not an experiment's."""

    def opened(self, folder: Path, metric: str, *, goes_on: bool) -> None:
        """The run is open: what comes is its own."""
        ...

    def say(self, line: str) -> None:
        """Something that a person wants to read."""
        ...


class Ended(Struct, frozen=True, kw_only=True):
    """A run that has halted."""

    folder: Path
    end: Halted


def drive(
    order: Order, connected: Callable[[], AbstractContextManager[Sandbox]], viewer: Viewer
) -> Ended:
    """Drive the run until it halts by itself or a person stops it; a paused one is waited for.

    Raises `ControllerError`, `SandboxError`, and `KeyboardInterrupt` after the trial is cancelled.
    """
    files = read_task(find_task(order.task))
    origin = None if order.source is None else find_source(order.source)
    with claimed(files.name, order.name) as folder:
        earlier = created(folder)
        kind, identity = order.agent or Kind.search, secrets.token_hex(8)
        if earlier is not None:
            _check_same(folder, earlier, files, order.agent, origin)
            kind, identity, origin = Kind(earlier.agent), earlier.id, earlier.agent_source
        new_agent = partial(make_agent, kind, seed=identity, train=files.train, source=origin)
        new_agent()  # what it can't be made from is told before anything is prepared
        with connected() as sandbox:
            checks: list[Check] = []
            by_model = model_writes(kind, origin)
            if earlier is None or by_model:  # else it was examined when it began
                viewer.progress(Progress(stage=Stage.examining))
                checks = sandbox.doctor()
                admit(checks, model_writes=by_model, accepted=order.accepted)
            prepared = sandbox.prepare(files, viewer.progress)
            sandbox.verify(prepared.hash, viewer.progress)
            new = NewRun(
                id=identity,
                task_name=files.name,
                task_hash=prepared.hash,
                program=files.program,
                prepare=files.prepare,
                dockerfile=files.dockerfile,
                scorer_dockerfile=files.scorer_dockerfile,
                settings=prepared.settings,
                agent=kind,
                agent_source=origin,
                limits=order.limits,
            )
            with Run.opened(folder, new if earlier is None else None, files.train) as run:
                run.limit(order.limits)
                run.ledger.accept(c for c in checks if is_accepted(c, order.accepted))
                viewer.opened(folder, run.row.settings.metric, goes_on=earlier is not None)
                if earlier is None and (count := baseline_trials(prepared.settings)) > 1:
                    lasts = spoken(count * prepared.settings.budget_seconds)
                    viewer.say(
                        f"The noise floor comes first: {count} trials of the task's own train.py, "
                        f"which train for up to {lasts} in all."
                    )
                try:
                    return Ended(folder=folder, end=_drive(run, new_agent, sandbox, viewer))
                except KeyboardInterrupt:
                    viewer.say(f"`sealed run {order.task} --name {folder.name}` goes on from here.")
                    raise


def drive_on(
    order: Order, connected: Callable[[], AbstractContextManager[Sandbox]], viewer: Viewer
) -> Ended:
    """The same, and a disk that fills up meanwhile is waited for."""
    while True:
        try:
            ended = drive(order, connected, viewer)
        except (NoSpace, OSError, sqlite3.Error) as fault:
            if order.name is None or created(runs_root() / order.name) is None:
                raise
            if not isinstance(fault, NoSpace) and not is_full(disk_usage(runs_root()).free):
                raise
            why = str(fault)
        else:
            if ended.end.halt is not Halt.disk:
                return ended
            order = replace(order, name=ended.folder.name)
            why = ended.end.detail
        viewer.say(f"paused: {why} It goes on by itself once there is space.")
        time.sleep(_DISK_SECONDS)


def _drive(run: Run, new_agent: Callable[[], Agent], sandbox: Sandbox, viewer: Viewer) -> Halted:
    while True:
        end = Loop(run, new_agent(), sandbox, viewer).drive()
        if end.halt is not Halt.paused:
            return end
        viewer.say(f"paused; `sealed resume {run.folder.name}` goes on, `sealed stop` ends it")
        while wanted(run.folder) is Wanted.paused:
            time.sleep(_LOOK_SECONDS)


def _check_same(
    folder: Path, earlier: RunRow, files: TaskFiles, agent: Kind | None, origin: str | None
) -> None:
    """A run keeps its task and its agent: scores of two tasks can't be compared."""
    if files != files_of(folder):
        raise Unusable(
            f"The run {folder.name} began with other files of the task {earlier.task_name}.",
            "Give another --name, or leave it out for a new run.",
        )
    if (agent or earlier.agent) != earlier.agent or (origin or earlier.agent_source) != (
        earlier.agent_source
    ):
        raise Unusable(
            f"The run {folder.name} began with the agent {earlier.agent}"
            f"{f' from {earlier.agent_source}' if earlier.agent_source else ''}.",
            "Leave --agent and --from out, or give another --name.",
        )
