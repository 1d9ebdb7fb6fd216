"""Verifying a run under `confirmed`: each step of each decision is gone through again."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from controller.decision import COUNTED
from controller.ledger import Experiment, Ledger
from controller.measuring import evidence
from controller.verify import verify
from sandbox.api import Outcome, TrialRequest
from sandbox.fake.sandbox import FakeSandbox
from sandbox.trials.results import Record
from tests.unit.test_controller_measuring import FILES as NOISY
from tests.unit.test_controller_measuring import Asked
from tests.unit.toy import RUN_ID, Scripted, candidates, drive, opened, with_settings

FILES = replace(with_settings(keep="confirmed"), train="# fake: score=1.0 noise=0.05 spread=0.02\n")
SCRIPT = candidates(
    "score=0.5 noise=0.05 spread=0.02",
    "score=1.0 noise=0.05 spread=0.02",
    "outcome=crash",
    "score=0.1 noise=0.05 later=crash",
    "score=0.48 noise=0.05 spread=0.02",
    "score=0.2 noise=0.05 spread=0.02",
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the run is."""
    monkeypatch.setenv("SEALED_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs" / "run"


def went(sandbox: FakeSandbox, *script: object) -> list[Experiment]:
    """A run by the loop."""
    with opened(sandbox, files=FILES) as run:
        drive(run, sandbox, Scripted(*(script or SCRIPT)))  # type: ignore[arg-type]
        return run.ledger.experiments()


@pytest.mark.claim("decisions-are-made-again")
def test_an_honest_run_of_many_trials_is_what_it_says(folder: Path) -> None:
    """Noise floor, confirming trials, top-ups of two champions, failures: all made again."""
    decisions = [experiment.decision for experiment in went(FakeSandbox())]
    found = verify(folder, None)
    assert found.findings == []
    assert decisions.count("kept") >= 3  # type: ignore[arg-type]
    assert found.trials > found.experiments + 10


@pytest.mark.claim("decisions-are-made-again")
def test_a_champion_of_many_trials_is_compared_by_its_latest(folder: Path) -> None:
    """What an experiment costs does not grow with how long its champion has been one."""
    lucky = candidates(*(f"score=0.{97000 + n} noise=0.05 spread=0.02" for n in range(60)))
    experiments = went(FakeSandbox(), *lucky)
    with Ledger(folder / "ledger.sqlite", writing=False) as ledger:
        champion, looks = int(experiments[-1].parent or 0), ledger.looks(experiments[-1].number)
        assert ledger.last_trial(champion) > 2 * COUNTED
        assert looks[0].champion_trials == COUNTED
        latest = [t.number for t in ledger.trials(champion) if t.asked_by < experiments[-1].number]
        found = evidence(ledger, experiments[-1]).champions[-1]
        scores = {t.number: t.score for t in ledger.trials(champion)}
        assert found == [scores[number] for number in latest[-COUNTED:]]
    assert verify(folder, None).findings == []


@pytest.mark.claim("decisions-are-made-again")
def test_a_champion_that_fell_is_none_any_more(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is proposed after an audit caught it is held against the one before."""
    sandbox = Asked(dishonest="-1-5")
    sign = sandbox._receipts.add_trial

    def caught(record: Record) -> None:
        if record.result.key.endswith("-1-5"):
            result = replace(record.result, outcome=Outcome.dishonest, score=None)
            record = replace(record, result=result)
        sign(record)

    monkeypatch.setattr(sandbox._receipts, "add_trial", caught)
    with opened(sandbox, files=NOISY) as run:
        drive(run, sandbox, Scripted(*candidates("score=-9 noise=0.05", "score=-50", "score=2")))
        assert [e.parent for e in run.ledger.experiments()] == [None, 0, 1, 0]
    assert verify(folder, None).findings == []
    with sqlite3.connect(folder / "ledger.sqlite") as db:
        db.execute("UPDATE experiments SET parent = 1 WHERE number = 3")
    found = [finding.problem for finding in verify(folder, None).findings]
    assert "It was compared with experiment 1; the champion was 0." in found


def once_more(sandbox: FakeSandbox, folder: Path) -> None:
    """A candidate that lost is tried once more, which the rule did not ask for."""
    with sqlite3.connect(folder / "ledger.sqlite") as db:
        (text, task) = db.execute(
            "SELECT candidate, task_hash FROM experiments, run WHERE number = 2"
        ).fetchone()
    sandbox.run(TrialRequest(key=f"{RUN_ID}-2-9", task=task, candidate=text, run=RUN_ID))


def other_champion(sandbox: FakeSandbox, folder: Path) -> None:
    """The same candidate is held against one trial of the champion that was chosen."""
    sandbox.compare([f"{RUN_ID}-6-2"], [f"{RUN_ID}-0-3"], RUN_ID)


@pytest.mark.claim("decisions-are-made-again")
@pytest.mark.parametrize(
    ("tamper", "says"),
    [(once_more, "did not ask for that"), (other_champion, "did not ask for that")],
)
def test_a_step_that_the_rule_did_not_ask_for_is_named(
    folder: Path, tamper: Callable[[FakeSandbox, Path], None], says: str
) -> None:
    """Trials and comparisons that were made beside are in the chain, and show."""
    sandbox = FakeSandbox()
    went(sandbox)
    assert verify(folder, None).findings == []
    tamper(sandbox, folder)
    sandbox.close_run(RUN_ID, [])
    with sqlite3.connect(folder / "ledger.sqlite") as db:
        (count,) = db.execute("SELECT count(*) FROM receipts").fetchone()
        lines = sandbox.receipts(RUN_ID, count).receipts
        db.executemany("INSERT INTO receipts VALUES (?, ?)", list(enumerate(lines, count)))
    found = verify(folder, None).findings
    assert [finding.receipt for finding in found if says in finding.problem] == [count]


@pytest.mark.claim("decisions-are-made-again")
def test_an_interval_that_was_changed_is_named(folder: Path) -> None:
    """What is claimed of a kept gain follows from signed figures."""
    went(FakeSandbox())
    with sqlite3.connect(folder / "ledger.sqlite") as db:
        assert db.execute("UPDATE experiments SET low = 0.49 WHERE number = 1").rowcount == 1
    found = verify(folder, None).findings
    assert [finding.experiment for finding in found] == [1]
    assert "low = 0.49" in found[0].problem
