"""Killed anywhere and started again, a run loses nothing and does nothing twice."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from controller.agents.marks import marked
from controller.decision import Decision
from controller.ledger import Experiment, Halt, Ledger
from controller.repository import Repository
from controller.run import Run
from controller.verify import verify
from sandbox.api import Outcome
from sandbox.fake.sandbox import FakeSandbox
from sandbox.receipts.chains import Receipts
from tests.unit.toy import drive, ledger_of, opened, with_settings

EXPERIMENTS = 2
TRIALS = 5 + 1 + 2 * 3 + 1
"""The noise floor, a gain that is screened and confirmed beside the champion, and no gain."""
FILES = with_settings(keep="confirmed", min_gain=0.001)
STEPS: list[tuple[type, str]] = [
    *(
        (Ledger, name)
        for name in (
            "create_run",
            "begin_session",
            "propose",
            "start",
            "begin_trial",
            "finish_trial",
            "add_look",
            "measure",
            "decide",
            "record",
            "end_session",
        )
    ),
    *((Repository, name) for name in ("commit", "set_experiment", "set_main", "_store", "_set")),
    *((Repository, name) for name in ("_set_index", "_pack_objects", "_pack_refs")),
    *((FakeSandbox, name) for name in ("run", "compare", "receipts", "close_run")),
    (Receipts, "_append"),
]
"""Where a run is killed: before and after each call of each of these."""


def landscape(candidate: str) -> float:
    """The first move of the search is a gain, the second is none."""
    return abs(marked(candidate).values[0] - 0.006)


class Killed(BaseException):
    """Nothing in the controller catches it, as nothing catches a SIGKILL."""


class Fuse:
    """Kills at the n-th call of a method, before or after it."""

    def __init__(self, patch: pytest.MonkeyPatch, owner: type, name: str, when: str) -> None:
        self.left = 0
        self.calls = 0
        method: Callable[..., Any] = getattr(owner, name)

        def fused(*arguments: Any, **named: Any) -> Any:
            self.calls += 1
            self.left -= 1
            if self.left == 0 and when == "before":
                raise Killed
            result = method(*arguments, **named)
            if self.left == 0 and when == "after":
                raise Killed
            return result

        patch.setattr(owner, name, fused)


def go(home: Path, most_experiments: int = EXPERIMENTS) -> Halt:
    """One process's life: it opens the run, or goes on with it, until the run halts."""
    sandbox = FakeSandbox(home, landscape=landscape)
    with opened(sandbox, files=FILES, most_experiments=most_experiments) as run:
        return drive(run, sandbox).halt


def story(home: Path) -> list[Experiment]:
    """All that happened in a run, times and commit ids left out; checks that all agree."""
    sandbox = FakeSandbox(home, landscape=landscape)
    with ledger_of() as ledger:
        experiments, tally = ledger.experiments(), ledger.tally()
        trials = [trial for e in experiments for trial in ledger.trials(e.number)]
        candidates = ledger.candidates()
        row = ledger.run()
    assert row is not None
    firsts = [f"{row.id}-{experiment.number}-1" for experiment in experiments]
    assert [e.trial_key for e in experiments] == firsts
    assert [e.score for e in experiments] == [sandbox.result(key).score for key in firsts]
    assert sorted(sandbox.executed) == sorted(trial.key for trial in trials)
    assert len(sandbox.executed) == len(set(sandbox.executed))
    assert {trial.outcome for trial in trials} == {Outcome.scored}
    if len(experiments) == 1 + EXPERIMENTS:
        assert len(trials) == TRIALS
    assert tally.refused == 0
    with opened(sandbox, files=FILES) as run:
        repository = run.folder / "repository"
        assert isinstance(run, Run)
        commits = [run.repository.experiment(e.number) for e in experiments]
        assert commits == [e.commit_id for e in experiments]
        best = [e for e in experiments if e.decision is Decision.kept][-1]
        assert run.repository.main() == best.commit_id
    assert (repository / "train.py").read_text() == candidates[best.number]
    # No receipt is lost or doubled, and what was killed and went on is closed like any other.
    assert verify(repository.parent, None).findings == []
    with ledger_of() as ledger:
        assert ledger.receipts() == sandbox.receipts(row.id, 0).receipts
    timeless = {"proposed_at": "", "decided_at": "", "commit_id": ""}
    return [replace(experiment, **timeless) for experiment in experiments]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """State of the fake, beside the runs of the test."""
    monkeypatch.setenv("SEALED_RUNS", str(tmp_path / "runs"))
    return tmp_path


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes die here, the machine does not: nothing has to wait for the disk."""
    migrate = Ledger._migrate

    def migrated(ledger: Ledger, path: Path) -> None:
        migrate(ledger, path)
        ledger._db.execute("PRAGMA synchronous = OFF")

    monkeypatch.setattr(Ledger, "_migrate", migrated)
    monkeypatch.setattr("os.fsync", lambda _: None)
    monkeypatch.setattr("controller.repository.LOOSE_EXPERIMENTS", 1)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[Experiment]:
    """What happens when nobody kills anything."""
    home = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEALED_RUNS", str(home / "runs"))
        assert go(home) is Halt.experiments
        return story(home)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("owner", "name"), STEPS, ids=[f"{o.__name__}.{n}" for o, n in STEPS])
def test_killed_at_a_step_the_story_is_the_same(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    undisturbed: list[Experiment],
    owner: type,
    name: str,
    when: str,
) -> None:
    """At every call of the step; ledger, repository and sandbox agree with each other after it."""
    fuse = Fuse(monkeypatch, owner, name, when)
    call = 0
    while True:
        call += 1
        home = tmp_path / f"{call}"
        home.mkdir()
        monkeypatch.setenv("SEALED_RUNS", str(home / "runs"))
        fuse.left = call
        try:
            assert go(home) is Halt.experiments
        except Killed:
            fuse.left = 0
            assert go(home) is Halt.experiments
            assert story(home) == undisturbed
        else:
            break
    assert call > 1


def test_killed_at_every_step_of_one_run(
    home: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: list[Experiment]
) -> None:
    """Each process gets one step further than the one before it, and no step is lost."""
    steps = [n for o, n in STEPS if o is Ledger and n not in ("create_run", "end_session")]
    fuses = [Fuse(monkeypatch, Ledger, name, "after") for name in steps]
    for _ in range(100):
        for fuse in fuses:
            fuse.left = 2 if fuse is fuses[0] else 1
        try:
            assert go(home) is Halt.experiments
        except Killed:
            continue
        break
    for fuse in fuses:
        fuse.left = 0
    assert story(home) == undisturbed


def test_kill_9_at_random_moments(home: Path) -> None:
    """Real processes, killed by the kernel; the last one reaches the end."""
    script = (
        "from pathlib import Path; from tests.unit.test_controller_killed import go\n"
        f"print('up', flush=True); go(Path({str(home)!r}), 12)"
    )
    root = Path(__file__).parents[2]
    chance = random.Random(1)
    killed = []
    for life in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", script], cwd=root, stdout=subprocess.PIPE, text=True
        )
        with process:
            assert process.stdout is not None
            process.stdout.readline()
            if life < 5:
                time.sleep(chance.uniform(0, 0.08))
                process.kill()
        killed.append(process.returncode == -signal.SIGKILL)
    assert killed[0]
    assert process.returncode == 0
    assert len(story(home)) == 13
