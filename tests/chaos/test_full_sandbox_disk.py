"""The disk of the sandbox's state fills up during a trial: what it came to is not lost."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.api import Outcome, Progress, Stage, Task, TrialRequest, TrialResult
from sandbox.config import Config
from sandbox.containers.host import Host
from sandbox.engine import Engine
from sandbox.errors import Cancelled, NoSpace, SandboxError, UnknownTrial
from sandbox.service import Service
from tests.conftest import TINY
from tests.support.files import task_files
from tests.support.small_disk import SmallDisk, small_disk

pytestmark = pytest.mark.docker

QUICK = (TINY / "train.py").read_text()


class OnSmallDisk:
    """A sandbox with its state on a disk of 2 MiB; trials run in a thread of their own."""

    def __init__(self, disk: SmallDisk, engine: Engine) -> None:
        self.disk = disk
        self.home = disk.path / "home"
        self.service = Service(
            Host.of(Config(home=self.home, socket=self.home / "s"), engine), keep_warm=False
        )
        self.task: Task = self.service.prepare(task_files(TINY))
        self.told: list[Progress] = []
        self.ended: list[TrialResult | SandboxError] = []

    def run(self, full_at: Stage) -> threading.Thread:
        """Run a trial; the disk is full once it comes to a stage."""

        def on_progress(progress: Progress) -> None:
            self.told.append(progress)
            if progress.stage is full_at:
                self.disk.fill()

        def run() -> None:
            request = TrialRequest(key="full", task=self.task.hash, candidate=QUICK)
            try:
                self.ended.append(self.service.run(request, on_progress))
            except SandboxError as fault:
                self.ended.append(fault)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def until_told(self, words: str) -> None:
        """Wait for a progress with these words."""
        deadline = time.monotonic() + 30
        while not any(words in told.detail for told in self.told):
            assert time.monotonic() < deadline, self.told
            time.sleep(0.02)


@pytest.fixture
def small(tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[OnSmallDisk]:
    """One; the look at free space before each trial is taken out, for it would never begin."""
    monkeypatch.setattr("sandbox.limits.FREE_DISK_BYTES", 0)
    monkeypatch.setattr("sandbox.limits.DISK", 0.1)
    with small_disk(tmp_path / "disk", 2048) as disk:
        small = OnSmallDisk(disk, engine)
        yield small
        disk.free()
        small.service.forget(small.task.hash)
        small.service.close()


@pytest.mark.claim("full-disks-pause")
def test_a_result_waits_for_space_and_is_not_lost(small: OnSmallDisk) -> None:
    """It says what it waits for; the trial is not run again, and no half of it is on the disk."""
    thread = small.run(full_at=Stage.scoring)
    small.until_told("can't write its state: No space left on device")
    with pytest.raises(UnknownTrial):
        small.service.result("full")
    small.disk.free()
    thread.join(30)
    (result,) = small.ended
    assert isinstance(result, TrialResult)
    assert (result.outcome, result.attempts) == (Outcome.scored, 1)
    assert small.service.result("full") == result
    assert small.service.compare(["full"], ["full"]).examples == result.examples
    assert [told.stage for told in small.told].count(Stage.training) == 1
    names = {file.name for file in (small.home / "trials").iterdir()}
    assert names == {"full.json", "full.values"}


def test_a_result_that_waits_can_be_cancelled(small: OnSmallDisk) -> None:
    """So that the sandbox can end; the key is free then."""
    thread = small.run(full_at=Stage.scoring)
    small.until_told("No space left")
    small.service.cancel("full")
    thread.join(30)
    assert isinstance(small.ended[0], Cancelled)
    assert not list((small.home / "trials").glob("full.*"))


@pytest.mark.claim("full-disks-pause")
def test_no_candidate_is_let_go_that_could_not_be_noted(small: OnSmallDisk) -> None:
    """Without space for the note nothing begins; with space again the same key runs."""
    small.run(full_at=Stage.building).join(30)
    assert isinstance(small.ended[0], NoSpace)
    assert Stage.training not in {told.stage for told in small.told}
    small.disk.free()
    small.run(full_at=Stage.preparing).join(30)
    result = small.ended[1]
    assert isinstance(result, TrialResult)
    assert (result.outcome, result.attempts) == (Outcome.scored, 1)
