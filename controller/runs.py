"""Runs on disk, each a folder with ledger, repository and lock: found, claimed and read here."""

import fcntl
import itertools
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import tenacity

from controller.errors import Busy, NotFound, Unusable
from controller.ledger import Ledger, RunLimits, RunRow, Wanted
from sandbox.api import TaskFiles

LEDGER = "ledger.sqlite"
PUBLIC_KEY = "receipts.pem"
"""Of the sandbox that signed the run's receipts."""
_LOCK = "lock"
_NAME = re.compile(r"(?!\d+$)[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""No number alone: `sealed experiment show 3` means the third experiment."""


def runs_root() -> Path:
    """Where all runs are: `SEALED_RUNS`, or `runs` in the working directory."""
    return Path(os.environ.get("SEALED_RUNS") or "runs")


@contextmanager
def claimed(task: str, name: str | None) -> Iterator[Path]:
    """The folder of a run, locked so that no second process drives it.

    Without a name it is the folder of a new run, `<task>-<n>`. Raises `Busy`, `Unusable`.
    """
    if name is None:
        for number in itertools.count(1):
            folder = runs_root() / f"{task}-{number}"
            if not (folder / LEDGER).exists():
                with _locked(folder) as ours:
                    # Another process may have made and left it just now.
                    if ours and not (folder / LEDGER).exists():
                        yield folder
                        return
    elif not _NAME.fullmatch(name):
        raise Unusable(
            f"{name!r} is no name for a run.",
            "Use up to 64 letters, digits, dots, dashes and underscores, not digits alone.",
        )
    else:
        with _locked(runs_root() / name) as ours:
            if not ours:
                raise Busy(
                    f"Another process drives the run {name}.",
                    "Wait for it or interrupt it, or give another --name.",
                )
            yield runs_root() / name


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Whether the folder, made if it is not there, is ours for as long as this lasts."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK).open("a") as lock:
        try:
            _take(lock)
        except BlockingIOError:
            yield False
        else:
            yield True


@tenacity.retry(
    # `is_driven` holds the lock for an instant.
    retry=tenacity.retry_if_exception_type(BlockingIOError),
    stop=tenacity.stop_after_attempt(3),
    wait=tenacity.wait_fixed(0.05),
    reraise=True,
)
def _take(lock: IO[str]) -> None:
    """The kernel gives it back however this process ends. Raises `BlockingIOError`."""
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_driven(folder: Path) -> bool:
    """Whether a process drives this run now."""
    try:
        with (folder / _LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        pass  # the folder was copied without it
    return False


def created(folder: Path) -> RunRow | None:
    """The run in a folder, if there is one already."""
    if not (folder / LEDGER).exists():
        return None
    with Ledger(folder / LEDGER, writing=False) as ledger:
        return ledger.run()


@contextmanager
def reading(folder: Path) -> Iterator[tuple[Ledger, RunRow]]:
    """A created run's ledger, to read. Raises `NotFound`."""
    if not (folder / LEDGER).exists():
        raise NotFound(f"No run is in {folder}.", "`sealed status` shows the newest run.")
    with Ledger(folder / LEDGER, writing=False) as ledger:
        row = ledger.run()
        if row is None:
            raise NotFound(f"The run in {folder} was never created.", "Remove the folder.")
        yield ledger, row


def files_of(folder: Path) -> TaskFiles:
    """The files of the task that the run in a folder began with. Raises `NotFound`."""
    with reading(folder) as (ledger, row):
        return with_train(row, ledger.candidate(0))


def with_train(row: RunRow, train: str) -> TaskFiles:
    """The files of a run's task, with this train.py."""
    return TaskFiles(
        name=row.task_name,
        program=row.program,
        train=train,
        prepare=row.prepare,
        dockerfile=row.dockerfile,
        scorer_dockerfile=row.scorer_dockerfile,
    )


def wanted(folder: Path) -> Wanted:
    """What a person wants of the run in a folder; may be asked from any thread."""
    with Ledger(folder / LEDGER, writing=False) as ledger:
        return ledger.wanted()


def want(folder: Path, what: Wanted) -> None:
    """Say what a person wants of the run in a folder. Raises `NotFound`."""
    with reading(folder), Ledger(folder / LEDGER, writing=True) as ledger:
        ledger.want(what)


def limit(folder: Path, limits: RunLimits) -> None:
    """Change the limits that are given of the run in a folder. Raises `NotFound`."""
    with reading(folder), Ledger(folder / LEDGER, writing=True) as ledger:
        ledger.limit_run(limits)


def find_run(name: str | None) -> Path:
    """The folder of a run by its name or path; without one, the newest. Raises `NotFound`."""
    if name is None:
        if runs := all_runs():
            return runs[-1]
        raise NotFound(f"No run is in {runs_root()} yet.", "Start one: `sealed run tasks/digits`.")
    for folder in (runs_root() / name, Path(name)):
        if (folder / LEDGER).exists():
            return folder
    known = ", ".join(folder.name for folder in all_runs()[-5:]) or "none"
    raise NotFound(f"No run is named {name}.", f"The newest runs: {known}.")


def all_runs() -> list[Path]:
    """Folders of created runs, the newest last."""
    dated = []
    for file in runs_root().glob(f"*/{LEDGER}"):
        if row := created(file.parent):
            dated.append((row.created_at, file.parent))
    return [folder for _, folder in sorted(dated)]
