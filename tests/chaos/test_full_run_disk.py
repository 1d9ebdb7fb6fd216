"""The disk of the runs fills up at any step of an experiment: the run waits, and loses nothing."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from controller import driver, halting
from controller.driver import Order, drive_on
from controller.ledger import Experiment, Halt, Ledger, RunLimits
from controller.repository import Repository
from controller.runs import all_runs, reading
from controller.supervisor import WAIT_SECONDS, Doing, Supervisor
from tests.support.small_disk import SmallDisk, small_disk
from tests.unit.test_controller_killed import STEPS, go, story
from tests.unit.toy import FILES, Watched, fake

KIB = 4096
STEPS_THAT_WRITE = [(owner, name) for owner, name in STEPS if owner in (Ledger, Repository)]


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallDisk]:
    """Has the runs, and nothing else."""
    monkeypatch.setattr(halting, "FREE_BYTES", 256 * 1024)
    monkeypatch.setattr("controller.repository.LOOSE_EXPERIMENTS", 1)
    with small_disk(tmp_path / "runs", KIB) as disk:
        monkeypatch.setenv("SEALED_RUNS", str(disk.path))
        yield disk


class Filler:
    """Fills the disk before the n-th call of a method."""

    def __init__(
        self, patch: pytest.MonkeyPatch, disk: SmallDisk, owner: type, name: str, call: int
    ) -> None:
        self.left = call
        method: Callable[..., Any] = getattr(owner, name)

        def filling(*arguments: Any, **named: Any) -> Any:
            self.left -= 1
            if self.left == 0:
                disk.fill()
            return method(*arguments, **named)

        patch.setattr(owner, name, filling)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[Experiment]:
    """What happens on a disk that is large enough."""
    home = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEALED_RUNS", str(home / "runs"))
        assert go(home) is Halt.experiments
        return story(home)


@pytest.mark.claim("full-disks-pause")
@pytest.mark.parametrize("call", [1, 2])
@pytest.mark.parametrize(
    ("owner", "name"), STEPS_THAT_WRITE, ids=[f"{o.__name__}.{n}" for o, n in STEPS_THAT_WRITE]
)
def test_a_disk_that_fills_up_at_a_step_loses_nothing(
    disk: SmallDisk,
    monkeypatch: pytest.MonkeyPatch,
    undisturbed: list[Experiment],
    owner: type,
    name: str,
    call: int,
) -> None:
    """The run halts for want of space, there or at the next step that needs some; then goes on."""
    filler = Filler(monkeypatch, disk, owner, name, call)
    try:
        end = go(disk.path.parent)
    except (OSError, sqlite3.Error):
        with Ledger(disk.path / "run" / "ledger.sqlite", writing=False) as ledger:
            assert ledger.run() is None or name == "create_run"
    else:
        last = name in ("end_session", "record", "set_experiment") or filler.left > 0
        assert end is Halt.disk or (end is Halt.experiments and last)
    disk.free()
    if go(disk.path.parent) is not Halt.experiments:  # that call came only now
        disk.free()
        assert go(disk.path.parent) is Halt.experiments
    assert filler.left <= 0 or name == "create_run"
    assert story(disk.path.parent) == undisturbed


# ---- who waits ----------------------------------------------------------------------------------


class Told(Watched):
    """A `Viewer` that remembers, and makes space once it was told of the pause."""

    def __init__(self, disk: SmallDisk) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._disk = disk

    def opened(self, folder: Path, metric: str, *, goes_on: bool) -> None:
        """See `Viewer`."""

    def say(self, line: str) -> None:
        """See `Viewer`."""
        self.lines.append(line)
        self._disk.free()


@pytest.fixture
def order(tmp_path: Path) -> Order:
    """Two experiments of the toy task."""
    folder = tmp_path / "toy"
    folder.mkdir()
    for name in ("program.md", "train.py", "prepare.py"):
        (folder / name).write_text(getattr(FILES, name.partition(".")[0]))
    return Order(task=str(folder), limits=RunLimits(most_experiments=2))


def test_a_person_reads_why_it_waits_and_has_nothing_else_to_do(
    disk: SmallDisk, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`sealed run`: in the middle of a commit; it goes on with the same run, by itself."""
    monkeypatch.setattr(driver, "_DISK_SECONDS", 0.01)
    Filler(monkeypatch, disk, Repository, "_store", 6)
    told, sandbox = Told(disk), fake()
    ended = drive_on(order, lambda: nullcontext(sandbox), told)
    assert ended.end.halt is Halt.experiments
    assert len(told.lines) == 1
    assert told.lines[0].startswith("paused: ")
    assert "No space left on device" in told.lines[0]
    assert [folder.name for folder in all_runs()] == ["toy-1"]
    assert told.recorded_numbers == [0, 1, 2]


def test_the_service_waits_and_says_so_on_its_page(
    disk: SmallDisk, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`sealed serve`: in the middle of a change of the ledger."""
    sandbox = fake()
    over = threading.Event()

    def sleep(seconds: float) -> None:
        if over.wait(min(seconds, 0.02)):
            raise KeyboardInterrupt

    monkeypatch.setattr("controller.supervisor.time.sleep", sleep)
    Filler(monkeypatch, disk, Ledger, "measure", 2)
    supervisor = Supervisor(order, lambda: nullcontext(sandbox))

    def run() -> None:
        try:
            supervisor.run()
        except KeyboardInterrupt:
            return

    thread = threading.Thread(target=run)
    thread.start()
    try:
        problem = until(supervisor, Doing.waiting)
        assert "full" in problem
        disk.free()
        assert until(supervisor, Doing.halted) == "2 experiments are done."
    finally:
        over.set()
        thread.join()
    (folder,) = all_runs()
    with reading(folder) as (ledger, _):
        assert [e.number for e in ledger.experiments()] == [0, 1, 2]
    assert len(sandbox.executed) == 3


def until(supervisor: Supervisor, doing: Doing) -> str:
    """Wait until the supervisor stands so; its problem."""
    deadline = time.monotonic() + WAIT_SECONDS[-1]
    while (serving := supervisor.serving()).doing is not doing:
        assert time.monotonic() < deadline, serving
        threading.Event().wait(0.005)
    return serving.problem
