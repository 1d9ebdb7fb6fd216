"""The loop, driven with a fake sandbox."""

import itertools
import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from controller.candidate import Candidate, Unfit
from controller.decision import Decision
from controller.halting import DISHONEST, ERRORS_IN_A_ROW, REFUSALS_IN_A_ROW
from controller.ledger import Halt, RunLimits, State
from controller.ledger import store as ledger_store
from sandbox.api import CANDIDATE_BYTES, Comparison, OnProgress, TrialRequest, TrialResult
from sandbox.errors import BadRequest, EngineUnavailable
from sandbox.fake.sandbox import FakeSandbox
from tests.unit.toy import (
    FILES,
    Scripted,
    Watched,
    candidates,
    drive,
    fake,
    opened,
    with_settings,
)


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of a test are its own."""
    monkeypatch.setenv("SEALED_RUNS", str(tmp_path / "runs"))


def test_a_search_keeps_what_is_better() -> None:
    """Twelve experiments: gains are kept, each on top of the champion before, losers are not."""
    sandbox, watched = fake(), Watched()
    with opened(sandbox, most_experiments=12) as run:
        end = drive(run, sandbox, watched=watched)
        experiments, champion = run.ledger.experiments(), run.ledger.champion()
    assert end.halt is Halt.experiments
    assert watched.recorded_numbers == watched.begun_numbers == list(range(13))
    assert all(e.state is State.recorded for e in experiments)
    scores = [e.score for e in experiments if e.decision is Decision.kept and e.score is not None]
    assert len(scores) >= 4
    assert scores == sorted(scores, reverse=True)
    assert champion is not None
    assert champion.score == min(e.score for e in experiments if e.score is not None)
    best = 0
    for experiment in experiments[1:]:
        assert experiment.parent == best
        best = experiment.number if experiment.decision is Decision.kept else best


def test_gain_and_standard_error_come_from_the_paired_comparison() -> None:
    """The ledger has both; a gain within the margin is not kept."""
    files = with_settings(min_gain=0.1)
    sandbox = FakeSandbox(landscape=lambda _: 1.0)
    agent = Scripted(*candidates("score=0.95 spread=0.1", "score=0.8 spread=0.1"))
    with opened(sandbox, files=files) as run:
        drive(run, sandbox, agent)
        _, small, large = run.ledger.experiments()
    assert (small.decision, large.decision) == (Decision.discarded, Decision.kept)
    assert small.gain == pytest.approx(0.05)
    assert small.standard_error == pytest.approx(0.1 / math.sqrt(64), rel=0.5)
    assert large.parent == 0


def test_maximize_keeps_what_is_higher() -> None:
    """The goal decides the direction everywhere."""
    sandbox = FakeSandbox(landscape=lambda _: 1.0)
    with opened(sandbox, files=with_settings(goal="maximize")) as run:
        drive(run, sandbox, Scripted(*candidates(0.5, 1.5)))
        decisions = [e.decision for e in run.ledger.experiments()]
    assert decisions == [Decision.kept, Decision.discarded, Decision.kept]


@pytest.mark.parametrize(
    "told", ["outcome=crash", "outcome=timeout", "outcome=dishonest", "score=nan", "score=-inf"]
)
def test_what_has_no_score_is_discarded(told: str) -> None:
    """Its commit is still reachable, and the next experiment has the same champion."""
    sandbox = fake()
    with opened(sandbox) as run:
        drive(run, sandbox, Scripted(*candidates(told, 0.0)))
        _, failed, after = run.ledger.experiments()
        assert run.repository.experiment(1) == failed.commit_id
        assert run.repository.main() == after.commit_id
    assert failed.decision is Decision.discarded
    assert (after.decision, after.parent) == (Decision.kept, 0)


def test_an_agent_sees_the_filtered_history() -> None:
    """Scores are rounded, and the champion and the number of proposals are the latest."""
    sandbox = FakeSandbox(landscape=lambda _: 1.0)
    agent = Scripted(*candidates(0.98765, "outcome=crash reason=why log=line"))
    with opened(sandbox) as run:
        drive(run, sandbox, agent)
    last = agent.views[-1]
    assert [(seen.number, seen.score, seen.reason) for seen in last.experiments] == [
        (0, 1.0, ""),
        (1, 0.99, ""),
        (2, None, "why"),
    ]
    assert last.experiments[2].log == "line"
    assert (last.champion.number, last.proposals) == (1, 2)
    assert last.program == FILES.program


def test_what_an_agent_was_told_stays_as_it_was() -> None:
    """A view has the experiments of the one before as they were, whichever is champion now."""
    sandbox = FakeSandbox(landscape=lambda _: 1.0)
    agent = Scripted(*candidates(0.98765, 0.5, 0.98, 0.1))
    with opened(sandbox) as run:
        drive(run, sandbox, agent)
        again = list(run.view().experiments)
    for before, after in itertools.pairwise([view.experiments for view in agent.views]):
        assert after[: len(before)] == before
        assert len(after) == len(before) + 1
    with opened(sandbox) as run:
        assert list(run.view().experiments) == again, "opened again, it is told the same"


def test_trailers_tell_what_an_agent_may_know(tmp_path: Path) -> None:
    """The repository is an agent's to clone: its scores are rounded like all others."""
    sandbox = FakeSandbox(landscape=lambda _: 1.0)
    with opened(sandbox) as run:
        drive(run, sandbox, Scripted(*candidates(0.98765)))
        message = run.ledger.experiment(1).message
    assert message is not None
    assert "Sealed-Score: 0.99 bits\n" in message
    assert "987" not in message


@pytest.mark.parametrize(
    ("proposal", "reason"),
    [
        (Unfit(hypothesis="x", reason="no code\x07"), "no code\ufffd"),
        (Candidate(source="\udc80", hypothesis="x"), "not UTF-8"),
        (Candidate(source="a" * (CANDIDATE_BYTES + 1), hypothesis="x"), "65537 bytes"),
        (Candidate(source=FILES.train, hypothesis="x"), "experiment 0, unchanged"),
        (Candidate(source="", hypothesis="x"), "empty"),  # found by the sandbox
    ],
)
def test_a_proposal_that_is_no_candidate_is_refused(
    proposal: Candidate | Unfit, reason: str
) -> None:
    """It is recorded with its reason, is no experiment, and the run goes on."""
    sandbox, watched = fake(), Watched()
    with opened(sandbox) as run:
        end = drive(run, sandbox, Scripted(proposal, *candidates(0.0)), watched)
        (refusal,) = run.ledger.refusals()
        assert [e.number for e in run.ledger.experiments()] == [0, 1]
        assert run.ledger.sessions()[-1].halt is Halt.exhausted
    assert end.halt is Halt.exhausted
    assert reason in refusal.reason
    assert refusal.experiment == 1
    assert watched.reasons == [refusal.reason]


def test_an_earlier_candidate_with_other_comments_is_not_run_again() -> None:
    """The baseline's too; the reason says which it is, and the next proposal is its own."""
    sandbox, watched = fake(), Watched()
    (first,) = candidates(1.0)
    agent = Scripted(
        Candidate(source=f"# Wider.\n\n{FILES.train}", hypothesis="a"),
        first,
        Candidate(source=f"# Wider.\n{first.source}", hypothesis="b"),
        *candidates(0.5, 0.25, 0.1, 0.05)[3:],
    )
    with opened(sandbox) as run:
        drive(run, sandbox, agent, watched)
        assert run.ledger.without_fingerprint() == []
        assert [r.reason for r in agent.views[3].refused] == watched.reasons[1:]
    assert watched.reasons == [
        "It is experiment 0, but for comments and layout.",
        "It is experiment 1, but for comments and layout.",
    ]
    assert watched.recorded_numbers == [0, 1, 2]


def test_of_several_agents_the_ledger_has_the_one_that_proposed() -> None:
    """For experiments, for refusals, and for the trailer of the commit."""
    sandbox = fake()
    (first,) = candidates(0.5)
    agent = Scripted(
        replace(first, agent="other"), Unfit(hypothesis="", reason="no", agent="third")
    )
    with opened(sandbox) as run:
        drive(run, sandbox, agent)
        assert run.ledger.experiment(1).agent == "other"
        assert "Sealed-Agent: other\n" in str(run.ledger.experiment(1).message)
        assert [refusal.agent for refusal in run.ledger.refusals()] == ["third"]
        assert run.view().experiments[1].agent == "other"


def test_a_huge_hypothesis_is_cut_and_an_empty_one_named() -> None:
    """The ledger stays small, whatever a model writes."""
    sandbox = fake()
    first, second = candidates(1, 2)
    agent = Scripted(
        Candidate(source=first.source, hypothesis="x" * 10**6),
        Candidate(source=second.source, hypothesis=""),
    )
    with opened(sandbox) as run:
        drive(run, sandbox, agent)
        lengths = [len(e.hypothesis) for e in run.ledger.experiments()]
        assert run.ledger.experiment(2).hypothesis == "(no hypothesis)"
    assert lengths[1] == 4000


def test_a_candidate_that_cannot_be_compared_does_not_stop_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A scorer that gives another number of values than for the champion."""

    def compare(first: Sequence[str], second: Sequence[str], run: str) -> Comparison:
        raise BadRequest("The trials have different numbers of examples.")

    sandbox = fake()
    monkeypatch.setattr(sandbox, "compare", compare)
    with opened(sandbox) as run:
        end = drive(run, sandbox, Scripted(*candidates(0.0)))
        assert run.ledger.experiment(1).decision_reason == "It can't be compared with the champion."
    assert end.halt is Halt.exhausted


def test_a_baseline_without_a_score_ends_the_run() -> None:
    """There is nothing to compare with; its commit is the root of main all the same."""
    sandbox = FakeSandbox(landscape=lambda _: math.nan)
    with opened(sandbox) as run:
        end = drive(run, sandbox, Scripted(*candidates(0.0)))
        assert run.ledger.champion() is None
        assert run.repository.main() == run.ledger.experiment(0).commit_id
        assert drive(run, sandbox).halt is Halt.baseline
    assert end.halt is Halt.baseline


@pytest.mark.parametrize(
    ("outcome", "most", "halt"),
    [("error", ERRORS_IN_A_ROW, Halt.errors), ("dishonest", DISHONEST, Halt.dishonest)],
)
def test_a_run_that_goes_wrong_halts(outcome: str, most: int, halt: Halt) -> None:
    """Our own errors in a row, or candidates that were caught cheating."""
    sandbox = fake()
    with opened(sandbox) as run:
        end = drive(run, sandbox, Scripted(*candidates(*[f"outcome={outcome}"] * 9)))
        assert end.halt is halt
        assert run.ledger.tally().experiments == most
        session = run.ledger.sessions()[-1]
    assert (session.halt, session.detail) == (halt, end.detail)


def test_a_person_gives_a_run_with_errors_another_chance() -> None:
    """Errors in a row are counted from the start of the session."""
    sandbox = fake()
    agent = Scripted(*candidates(*["outcome=error"] * 3, 0.0))
    with opened(sandbox) as run:
        assert drive(run, sandbox, agent).halt is Halt.errors
        assert drive(run, sandbox, agent).halt is Halt.exhausted


def test_an_agent_that_proposes_no_candidates_is_stopped() -> None:
    """Otherwise it would be asked for ever."""
    sandbox = fake()
    agent = Scripted(*[Unfit(hypothesis="", reason="no")] * 100)
    with opened(sandbox) as run:
        assert drive(run, sandbox, agent).halt is Halt.refusals
        assert run.ledger.tally().refused == REFUSALS_IN_A_ROW


def test_hours_are_those_of_all_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A night that was interrupted is not counted twice, and idle time not at all."""
    now = datetime(2026, 1, 1, tzinfo=UTC)

    def ticking() -> str:
        nonlocal now
        now += timedelta(minutes=1)
        return now.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    monkeypatch.setattr(ledger_store, "stamp", ticking)
    sandbox = fake()
    with opened(sandbox, most_experiments=2, most_hours=1) as run:
        assert drive(run, sandbox).halt is Halt.experiments
        now += timedelta(hours=10)
        run.limit(RunLimits(most_experiments=10_000))
        assert drive(run, sandbox).halt is Halt.hours
        assert 3600 <= run.ledger.tally().seconds < 2 * 3600


def test_an_interrupt_cancels_the_trial_and_the_run_goes_on_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The key is freed, the session says why it ended, and nothing ran twice."""
    sandbox, cancelled = fake(), []
    run_trial = sandbox.run

    def interrupted(request: TrialRequest, on_progress: OnProgress) -> TrialResult:
        if request.key.endswith("-2-1") and not cancelled:
            raise KeyboardInterrupt
        return run_trial(request, on_progress)

    monkeypatch.setattr(sandbox, "run", interrupted)
    monkeypatch.setattr(sandbox, "cancel", cancelled.append)
    with opened(sandbox, most_experiments=3) as run:
        with pytest.raises(KeyboardInterrupt):
            drive(run, sandbox)
        assert cancelled == [run.trial_key(2)]
        assert run.ledger.sessions()[-1].halt is Halt.interrupted
        unfinished = run.ledger.unfinished()
        assert unfinished is not None
        assert (unfinished.number, unfinished.state) == (2, State.running)
        assert drive(run, sandbox).halt is Halt.experiments
    assert sandbox.executed == [run.trial_key(number) for number in range(4)]


def test_errors_of_the_sandbox_pass_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing engine is nobody's crash: the experiment stays where it is."""
    sandbox = fake()

    def gone(request: TrialRequest, on_progress: OnProgress) -> TrialResult:
        raise EngineUnavailable("gone")

    with monkeypatch.context() as patch, opened(sandbox, most_experiments=1) as run:
        patch.setattr(sandbox, "run", gone)
        with pytest.raises(EngineUnavailable):
            drive(run, sandbox)
        session = run.ledger.sessions()[-1]
        assert (session.halt, session.detail) == (Halt.failed, "gone")
    with opened(sandbox) as run:
        assert drive(run, sandbox).halt is Halt.experiments
