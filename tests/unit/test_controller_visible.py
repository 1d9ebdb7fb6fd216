"""The filter for what agents may read."""

import math
import statistics

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from controller.decision import Decision
from controller.decision.noise import Noise
from controller.ledger import Experiment, State
from controller.visible import LOG_LETTERS, Refused, Seen, View, seen, step
from sandbox.api import Feedback, Goal, Outcome, TaskSettings

SCORES = st.floats(-1e6, 1e6)
ANY_SCORES = st.one_of(st.none(), st.floats())


def settings(feedback: Feedback = Feedback.rounded, min_gain: float = 0.005) -> TaskSettings:
    """Settings that matter here."""
    return TaskSettings(
        metric="bits", goal=Goal.minimize, budget_seconds=1, feedback=feedback, min_gain=min_gain
    )


BASELINE = Experiment(
    number=0,
    state=State.recorded,
    agent="task",
    hypothesis="the task's own train.py",
    candidate_hash="0" * 64,
    parent=None,
    proposed_at="2026-01-01T00:00:00.000Z",
    decision=Decision.kept,
    decision_reason="The baseline is the first champion.",
    gain=None,
    standard_error=None,
    message="",
    decided_at="2026-01-01T00:00:00.000Z",
    commit_id="0" * 40,
    trial_key="abc-0-1",
    outcome=Outcome.scored,
    score=1.0,
    rehearsal_score=1.01,
    trial_reason="",
    log_bytes=0,
    seconds=1.0,
    wall_seconds=3.0,
    peak_memory_bytes=1000,
    device="cpu",
)
LOSER = replace(
    BASELINE,
    number=1,
    parent=0,
    decision=Decision.discarded,
    decision_reason="The gain of -0.0123 bits (standard error 0.004) is not above 0.005.",
    score=1.0123,
    gain=-0.0123,
    standard_error=0.004,
)
WINNER = replace(LOSER, decision=Decision.kept, score=0.876, gain=0.124)


def told(
    experiment: Experiment,
    given_settings: TaskSettings,
    champion: Experiment | None = BASELINE,
    noise: Noise | None = None,
    salt: str = "salt",
) -> Seen:
    """What an agent sees of it."""
    return seen(experiment, champion, given_settings, noise=noise, salt=salt, candidate="", log="")


@pytest.mark.parametrize(
    ("feedback", "experiment", "score"),
    [
        (Feedback.exact, LOSER, 1.0123),
        (Feedback.exact, WINNER, 0.876),
        (Feedback.rounded, replace(LOSER, standard_error=0.0), 1.01),
        (Feedback.rounded, WINNER, 0.875),
        (Feedback.ladder, LOSER, None),
        (Feedback.ladder, WINNER, 0.875),
    ],
)
def test_feedback_decides_what_is_told(
    feedback: Feedback, experiment: Experiment, score: float | None
) -> None:
    """Exact figures, figures in steps, or improvements alone."""
    assert told(experiment, settings(feedback)).score == score


@given(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4), st.floats(1e-4, 100))
def test_a_rounded_score_is_a_step_near_the_champion(
    score: float, champion_score: float, min_gain: float
) -> None:
    """A loser's score is a multiple of the step, at most eight steps from the champion's."""
    champion = replace(BASELINE, score=champion_score)
    loser = replace(LOSER, score=score)
    shown = told(loser, settings(min_gain=min_gain), champion).score
    assert shown is not None
    steps = shown / min_gain
    assert steps == pytest.approx(round(steps), abs=1e-3)
    assert abs(round(steps) - round(champion_score / min_gain)) <= 8


def told_at_large(experiment: Experiment, min_gain: float = 0.005) -> list[float]:
    """The scores that are told of it in runs with other salts."""
    found = [
        told(experiment, settings(min_gain=min_gain), salt=str(salt)).score for salt in range(1000)
    ]
    return [score for score in found if score is not None]


def test_the_same_salt_tells_the_same_of_the_same_score() -> None:
    """Who submits the same answers again learns nothing, and a view that is made again is it."""
    assert told(LOSER, settings()) == told(LOSER, settings())
    again = replace(LOSER, number=2)
    assert told(again, settings()).score == told(LOSER, settings()).score
    assert len(set(told_at_large(LOSER))) > 3


@pytest.mark.parametrize(
    ("standard_error", "deviation"),
    [(0.004, 0.004), (0.001, 0.0025), (0.012, 0.012), (None, 0.005), (0.0, 0.0)],
)
def test_a_score_that_was_not_kept_is_told_with_noise(
    standard_error: float | None, deviation: float
) -> None:
    """As much as its gain's standard error, half a step at least; none for a single value."""
    found = told_at_large(replace(LOSER, score=1.0, standard_error=standard_error))
    rounding = 0.005 / math.sqrt(12) if deviation else 0.0
    assert statistics.mean(found) == pytest.approx(1.0, abs=0.0015)
    assert statistics.pstdev(found) == pytest.approx(math.hypot(deviation, rounding), rel=0.1)


def test_what_was_kept_is_told_without_noise() -> None:
    """The champion is what all others are measured by."""
    assert set(told_at_large(WINNER)) == {0.875}


@given(
    wall_seconds=st.floats(0, 1e6),
    gain=SCORES,
    decision_reason=st.text(),
    peak_memory_bytes=st.integers(0, 2**40),
    log_bytes=st.integers(0, 2**40),
)
def test_what_was_sealed_changes_nothing_that_is_seen(**sealed: object) -> None:
    """Times of sealed phases, gains and the operator's reasons are in no view."""
    assert told(replace(LOSER, **sealed), settings()) == told(LOSER, settings())


@given(ANY_SCORES, ANY_SCORES, ANY_SCORES, st.sampled_from(Feedback), st.floats(0, 1e300))
def test_whatever_is_in_the_ledger_the_view_has_finite_scores(
    score: float | None,
    champion_score: float | None,
    standard_error: float | None,
    feedback: Feedback,
    min_gain: float,
) -> None:
    """No NaN, no infinity and no exception, for any row."""
    champion = replace(BASELINE, score=champion_score)
    experiment = replace(
        LOSER, score=score, standard_error=standard_error, rehearsal_score=champion_score
    )
    view = told(experiment, settings(feedback, min_gain), champion)
    for shown in (view.score, view.rehearsal_score):
        assert shown is None or math.isfinite(shown)


@pytest.mark.parametrize("outcome", [o for o in Outcome if o is not Outcome.scored])
@pytest.mark.parametrize("feedback", Feedback)
def test_without_a_score_none_is_told(outcome: Outcome, feedback: Feedback) -> None:
    """A figure that came with a failure is not passed on."""
    assert told(replace(LOSER, outcome=outcome), settings(feedback)).score is None


def test_the_rehearsal_is_public_in_full() -> None:
    """Its score, its reason and the end of the log, made safe to show."""
    failed = replace(LOSER, outcome=Outcome.crash, score=None, trial_reason="Bad\x1b[0m")
    view = seen(
        failed,
        BASELINE,
        settings(),
        noise=None,
        salt="salt",
        candidate="source",
        log="a" * 5000 + "\x1b",
    )
    assert view.rehearsal_score == 1.01
    assert view.reason == "Bad\ufffd[0m"
    assert len(view.log) <= LOG_LETTERS
    assert "\x1b" not in view.log


@pytest.mark.parametrize(
    ("min_gain", "standard_error", "score", "unit"),
    [
        (0.005, 0.5, 1.234, 0.005),
        (0.0, 0.03, 1.234, 0.1),
        (0.0, 1e-12, 1.234, 0.01),
        (0.0, None, 1.234, 0.1),
        (0.0, 0.0, 0.0123, 0.001),
        (0.0, None, 0.0, 1.0),
        (0.0, math.nan, 50.0, 1.0),
    ],
)
def test_the_step(min_gain: float, standard_error: float | None, score: float, unit: float) -> None:
    """The margin; else the standard error, never finer than three digits; else two digits."""
    assert step(settings(min_gain=min_gain), None, standard_error, score) == pytest.approx(unit)


@pytest.mark.parametrize(
    ("min_gain", "deviation", "unit"),
    [(0.0, 0.0123, 0.02), (0.0, 0.02, 0.02), (0.0, 3.4, 4.0), (0.005, 0.0123, 0.005), (0, 0, 0.1)],
)
def test_the_noise_floor_is_the_step(min_gain: float, deviation: float, unit: float) -> None:
    """Up to its next digit, where the task names no gain; no noise is as no floor."""
    noise = Noise(variance=deviation**2, degrees=4)
    assert step(settings(min_gain=min_gain), noise, None, 1.234) == pytest.approx(unit)
    if deviation == 3.4:
        assert told(WINNER, settings(min_gain=0), noise=noise).score == 0.0


def test_what_is_not_decided_is_not_shown() -> None:
    """Asking for it is a fault of the caller."""
    with pytest.raises(ValueError, match="not decided"):
        told(replace(LOSER, decision=None), settings())


def test_the_view_has_these_fields_and_no_others() -> None:
    """Whoever adds one has to look at this file, and at what it tells."""
    assert {field.name for field in msgspec.structs.fields(Seen)} == {
        "number",
        "agent",
        "candidate",
        "hypothesis",
        "outcome",
        "decision",
        "score",
        "rehearsal_score",
        "reason",
        "log",
        "seconds",
    }
    assert {field.name for field in msgspec.structs.fields(View)} == {
        "program",
        "metric",
        "goal",
        "champion",
        "experiments",
        "proposals",
        "refused",
        "min_gain",
        "step",
    }
    assert {field.name for field in msgspec.structs.fields(Refused)} == {
        "agent",
        "hypothesis",
        "reason",
    }
