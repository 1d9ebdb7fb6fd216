"""The ledger: states, transactions, typed rows."""

import math
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from msgspec.structs import replace

from controller.decision import Decision, Judgement
from controller.errors import Failed, NotFound
from controller.ledger import (
    Experiment,
    Halt,
    Ledger,
    NewRun,
    RunLimits,
    State,
)
from controller.ledger.store import _MIGRATIONS
from sandbox.api import Goal, Outcome, TaskSettings, TrialResult

RUN = NewRun(
    id="abc",
    task_name="toy",
    task_hash="0" * 64,
    program="program",
    prepare="prepare",
    settings=TaskSettings(metric="bits", goal=Goal.maximize, budget_seconds=1.5, gpus="auto"),
    agent="search",
    agent_source=None,
    limits=RunLimits(most_experiments=3),
)
RESULT = TrialResult(
    key="abc-0-1",
    task="0" * 64,
    outcome=Outcome.scored,
    score=1.5,
    rehearsal_score=1.25,
    reason="",
    log="epoch 1\nepoch 2",
    log_bytes=15,
    seconds=0.5,
    wall_seconds=2,
    peak_memory_bytes=2**33,
    examples=10,
    device="cpu",
    attempts=1,
)
KEPT = Judgement(decision=Decision.kept, reason="better", gain=0.25, standard_error=0.125)
LOST = Judgement(decision=Decision.discarded, reason="")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """With a created run."""
    with Ledger(tmp_path / "ledger.sqlite", writing=True) as ledger:
        ledger.create_run(RUN, "train")
        yield ledger


def unfinished(ledger: Ledger) -> Experiment:
    """The one that there must be."""
    experiment = ledger.unfinished()
    assert experiment is not None
    return experiment


def finish(ledger: Ledger, outcome: Outcome = Outcome.scored, judgement: Judgement = KEPT) -> None:
    """Take the unfinished experiment through all states."""
    number = unfinished(ledger).number
    key = f"abc-{number}-1"
    ledger.start(unfinished(ledger), key)
    ledger.finish_trial(replace(RESULT, key=key, outcome=outcome))
    ledger.measure(unfinished(ledger))
    ledger.decide(unfinished(ledger), judgement, "message")
    ledger.record(unfinished(ledger), f"{number:040x}")


def propose(ledger: Ledger, candidate: str) -> None:
    """A candidate made from the baseline."""
    ledger.propose(agent="search", hypothesis="why", candidate=candidate, parent=0)


def test_what_a_run_began_with_is_read_back_typed(ledger: Ledger) -> None:
    """Settings survive as settings, and the baseline is proposed with the run."""
    row = ledger.run()
    assert row is not None
    assert row.settings == RUN.settings
    assert (row.id, row.task_name, row.limits) == ("abc", "toy", RunLimits(most_experiments=3))
    baseline = unfinished(ledger)
    assert (baseline.number, baseline.state, baseline.parent) == (0, State.proposed, None)
    assert ledger.candidate(0) == "train"


def test_a_ledger_without_a_run_says_so(tmp_path: Path) -> None:
    """Killed between the two, a run is as good as never created."""
    with Ledger(tmp_path / "ledger.sqlite", writing=True) as ledger:
        assert ledger.run() is None
    (tmp_path / "empty.sqlite").touch()
    with Ledger(tmp_path / "empty.sqlite", writing=False) as ledger:
        assert ledger.run() is None


def test_states_follow_each_other(ledger: Ledger) -> None:
    """Each change leads to the next state, and what came with it is stored."""
    states = [unfinished(ledger).state]
    ledger.start(unfinished(ledger), "abc-0-1")
    states.append(unfinished(ledger).state)
    ledger.finish_trial(RESULT)
    ledger.measure(unfinished(ledger))
    states.append(unfinished(ledger).state)
    ledger.decide(unfinished(ledger), KEPT, "message")
    states.append(unfinished(ledger).state)
    ledger.record(unfinished(ledger), "f" * 40)
    assert ledger.unfinished() is None
    found = ledger.experiment(0)
    assert [*states, found.state] == list(State)
    assert (found.outcome, found.score, found.peak_memory_bytes) == (Outcome.scored, 1.5, 2**33)
    assert (found.decision, found.gain, found.message) == (Decision.kept, 0.25, "message")
    assert (ledger.log(0, 7), ledger.log(1, 7)) == ("epoch 2", "")
    assert ledger.champion() == found


@pytest.mark.parametrize(
    "change",
    [
        lambda ledger, e: ledger.measure(e),
        lambda ledger, e: ledger.decide(e, KEPT, ""),
        lambda ledger, e: ledger.record(e, "f" * 40),
    ],
)
def test_no_state_is_skipped(ledger: Ledger, change: Callable[[Ledger, Experiment], None]) -> None:
    """A change from the wrong state fails and changes nothing."""
    before = unfinished(ledger)
    with pytest.raises(Failed, match="not where it should be"):
        change(ledger, before)
    assert unfinished(ledger) == before
    ledger.start(before, "abc-0-1")
    with pytest.raises(Failed):
        ledger.start(before, "abc-0-2")
    assert unfinished(ledger).trial_key == "abc-0-1"


def test_experiments_are_done_one_after_the_other(ledger: Ledger) -> None:
    """While one is unfinished, no other begins."""
    with pytest.raises(sqlite3.IntegrityError):
        propose(ledger, "second")
    finish(ledger)
    propose(ledger, "second")
    assert unfinished(ledger).number == 1


def test_no_text_is_proposed_twice(ledger: Ledger) -> None:
    """The same bytes are found by their hash, and the database refuses them too."""
    finish(ledger)
    assert ledger.number_of("train") == 0
    assert ledger.number_of("train ") is None
    with pytest.raises(sqlite3.IntegrityError):
        propose(ledger, "train")


def test_an_experiment_may_turn_into_a_refusal(ledger: Ledger) -> None:
    """Its number is free again, and hypothesis and reason are kept."""
    finish(ledger)
    propose(ledger, "no candidate")
    ledger.start(unfinished(ledger), "abc-1-1")
    ledger.refuse_experiment(unfinished(ledger), "no")
    assert ledger.unfinished() is None
    (refusal,) = ledger.refusals()
    assert (refusal.experiment, refusal.hypothesis, refusal.reason) == (1, "why", "no")
    propose(ledger, "a candidate")
    ledger.start(unfinished(ledger), "abc-1-1")
    assert unfinished(ledger).number == 1


def test_an_unknown_experiment_is_not_found(ledger: Ledger) -> None:
    """The error is one that the command line knows."""
    with pytest.raises(NotFound, match="no experiment 5"):
        ledger.experiment(5)


def test_the_tally_counts(ledger: Ledger) -> None:
    """Experiments without the baseline; errors and refusals since the last good one."""
    ledger.begin_session()
    finish(ledger)
    outcomes = [Outcome.error, Outcome.scored, Outcome.dishonest, Outcome.error, Outcome.error]
    for n, outcome in enumerate(outcomes):
        propose(ledger, f"candidate {n}")
        finish(ledger, outcome, KEPT if outcome is Outcome.scored else LOST)
    ledger.refuse(agent="search", hypothesis="", reason="")
    tally = ledger.tally()
    assert (tally.experiments, tally.kept, tally.dishonest, tally.refused) == (5, 1, 1, 1)
    assert (tally.errors_in_a_row, tally.refusals_in_a_row) == (2, 1)
    assert ledger.outcomes() == {Outcome.dishonest: 1, Outcome.error: 3, Outcome.scored: 1}
    ledger.begin_session()
    assert ledger.tally().refused == 1


def test_agents_have_what_they_made(ledger: Ledger) -> None:
    """The baseline and what is not recorded are nobody's."""
    finish(ledger)
    for n in range(3):
        propose(ledger, f"candidate {n}")
        finish(ledger, judgement=KEPT if n == 1 else LOST)
    propose(ledger, "under way")
    ledger.refuse(agent="replay", hypothesis="", reason="")
    assert ledger.recorded_by_agent() == {"search": 3}
    assert ledger.refused_by_agent() == {"replay": 1}
    assert [experiment.number for experiment in ledger.kept()] == [2]
    assert ledger.commits() == {number: f"{number:040x}" for number in range(4)}


def test_a_session_ends_with_its_reason_or_was_killed(ledger: Ledger) -> None:
    """No reason is stored by the process that dies."""
    ledger.begin_session()
    finish(ledger)
    ledger.begin_session()
    ledger.end_session(Halt.hours, "8 hours are over.")
    killed, ended = ledger.sessions()
    assert killed.halt is None
    assert killed.seen_at >= killed.started_at
    assert (ended.halt, ended.detail) == (Halt.hours, "8 hours are over.")


def test_a_reader_beside_the_writer(ledger: Ledger, tmp_path: Path) -> None:
    """`sealed status` works while a run is driven, and can write nothing."""
    with Ledger(tmp_path / "ledger.sqlite", writing=False) as reader:
        finish(ledger)
        assert reader.champion() == ledger.champion()
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader.begin_session()


def test_a_failing_change_leaves_nothing_behind(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """State and trial change together, or not at all, whatever interrupts."""

    def interrupted(name: str, **values: object) -> None:
        write(name, **values)
        if name == "start_experiment":
            raise KeyboardInterrupt

    write = ledger._write
    monkeypatch.setattr(ledger, "_write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ledger.start(unfinished(ledger), "abc-0-1")
    assert unfinished(ledger).state is State.proposed
    assert unfinished(ledger).trial_key is None


def test_a_score_that_is_no_number_is_stored_as_none(ledger: Ledger) -> None:
    """SQLite has no NaN; nothing downstream has to expect one."""
    ledger.start(unfinished(ledger), "abc-0-1")
    ledger.finish_trial(replace(RESULT, score=math.nan))
    assert unfinished(ledger).score is None


def test_a_ledger_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    """It is not guessed at."""
    with sqlite3.connect(tmp_path / "ledger.sqlite") as db:
        db.execute("PRAGMA user_version = 999")
    db.close()
    with pytest.raises(Failed, match="newer version"):
        Ledger(tmp_path / "ledger.sqlite", writing=True)


@pytest.mark.parametrize("version", range(len(_MIGRATIONS)))
def test_many_may_open_an_old_ledger_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    """The page looks at a ledger while it is made: each migration is made once, by one of them."""
    with monkeypatch.context() as old:
        old.setattr("controller.ledger.store._MIGRATIONS", _MIGRATIONS[:version])
        Ledger(tmp_path / "ledger.sqlite", writing=True).close()
    together = threading.Barrier(6)

    def opened(number: int) -> int:
        together.wait()
        with Ledger(tmp_path / "ledger.sqlite", writing=number == 0) as ledger:
            return ledger._version()

    with ThreadPoolExecutor(6) as pool:
        versions = list(pool.map(opened, range(6)))
    assert versions[0] == len(_MIGRATIONS)
    assert set(versions) <= {0, len(_MIGRATIONS)}, "nobody sees half of it"


def test_changes_are_durable(ledger: Ledger, tmp_path: Path) -> None:
    """WAL and full synchronisation are what the promise rests on."""
    assert ledger._db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert ledger._db.execute("PRAGMA synchronous").fetchone()[0] == 2


def test_limits_change_only_where_given(ledger: Ledger) -> None:
    """A run that is started again keeps the limits that are not named."""
    ledger.limit_run(RunLimits(most_hours=2.5))
    row = ledger.run()
    assert row is not None
    assert row.limits == RunLimits(most_experiments=3, most_hours=2.5)


# ---- long runs ----------------------------------------------------------------------------------

LOST = Judgement(decision=Decision.discarded, reason="worse")
ASKED_EACH_ROUND: dict[str, Callable[[Ledger], object]] = {
    "unfinished": Ledger.unfinished,
    "champion": Ledger.champion,
    "tally": Ledger.tally,
    "an experiment": lambda ledger: ledger.experiment(7),
    "a candidate": lambda ledger: ledger.candidate(7),
    "a log": lambda ledger: ledger.log(7, 100),
    "whether a text is known": lambda ledger: ledger.number_of("text 7"),
    "a proposal": lambda ledger: ledger.propose(
        agent="search", hypothesis="", candidate="another", parent=0
    ),
    "a refusal": lambda ledger: ledger.refuse(agent="search", hypothesis="", reason=""),
}


def steps(path: Path, experiments: int, ask: Callable[[Ledger], object]) -> int:
    """How many instructions of SQLite's machine a question takes after so many experiments."""
    with Ledger(path, writing=True) as ledger:
        ledger._db.execute("PRAGMA synchronous = OFF")
        ledger.create_run(RUN, "train")
        finish(ledger)
        for number in range(1, experiments):
            propose(ledger, f"text {number}")
            finish(ledger, judgement=LOST)
        counted = 0

        def count() -> int:
            nonlocal counted
            counted += 1
            return 0

        ledger._db.set_progress_handler(count, 1)
        ask(ledger)
        return counted


@pytest.mark.parametrize("asked", ASKED_EACH_ROUND)
def test_what_the_loop_asks_does_not_cost_more_late_in_a_run(tmp_path: Path, asked: str) -> None:
    """Ten times as many experiments, and hardly one instruction more."""
    ask = ASKED_EACH_ROUND[asked]
    early = steps(tmp_path / "early.sqlite", 20, ask)
    late = steps(tmp_path / "late.sqlite", 200, ask)
    assert early > 5
    assert late < 1.5 * early
