"""The keep rules `margin` and `naive`, and the first champion; `confirmed` has its own file."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.decision import Ask, Decision, Evidence, Judgement, Look, Tried, has_score, rules
from sandbox.api import Comparison, Goal, Keep, Outcome, SliceDifference, TaskSettings

NO_SCORE = [None, math.nan, math.inf, -math.inf]


def settings(
    goal: Goal = Goal.minimize, min_gain: float = 0.0, keep: Keep = Keep.margin
) -> TaskSettings:
    """Settings that matter here."""
    return TaskSettings(metric="bits", goal=goal, budget_seconds=1, min_gain=min_gain, keep=keep)


def evidence(*trials: Tried, looks: list[Look], smaller: bool = False) -> Evidence:
    """Of a candidate beside a champion with one trial."""
    return Evidence(
        candidate=trials,
        top_ups=[],
        champions=[[1.0]],
        looks=looks,
        candidate_bytes=9 if smaller else 10,
        champion_bytes=10,
    )


def judge(
    outcome: Outcome,
    score: float | None,
    compared: Comparison | None,
    given: TaskSettings,
    *,
    smaller: bool = False,
) -> Judgement:
    """What one trial and its comparison decide."""
    look = Look(candidate_trials=1, champion_trials=1, comparison=compared)
    found = evidence(Tried(outcome, score), looks=[look], smaller=smaller)
    judgement = rules.judge(found, given)
    assert isinstance(judgement, Judgement)
    return judgement


def judge_baseline(outcome: Outcome, score: float | None) -> Judgement:
    """Of a baseline with one trial."""
    judgement = rules.judge_baseline([Tried(outcome, score)], settings())
    assert isinstance(judgement, Judgement)
    return judgement


def comparison(
    difference: float, standard_error: float = 0.1, **slices: tuple[float, float]
) -> Comparison:
    """Of the candidate with the champion."""
    return Comparison(
        difference=difference,
        standard_error=standard_error,
        examples=10,
        slices={
            name: SliceDifference(difference=found, standard_error=error)
            for name, (found, error) in slices.items()
        },
    )


@pytest.mark.parametrize(
    ("goal", "difference", "decision"),
    [
        (Goal.minimize, -0.2, Decision.kept),
        (Goal.minimize, 0.2, Decision.discarded),
        (Goal.maximize, 0.2, Decision.kept),
        (Goal.maximize, -0.2, Decision.discarded),
    ],
)
def test_better_is_what_the_goal_says(goal: Goal, difference: float, decision: Decision) -> None:
    """A gain is positive in the goal's direction."""
    judgement = judge(Outcome.scored, 1.0, comparison(difference), settings(goal))
    assert judgement.decision is decision
    assert judgement.gain == pytest.approx(0.2 if decision is Decision.kept else -0.2)
    assert judgement.standard_error == 0.1


@given(st.floats(0, 10), st.floats(-20, 20))
def test_a_gain_must_exceed_the_margin(min_gain: float, gain: float) -> None:
    """Equal to the margin is not enough; with a margin of 0, a tie is discarded."""
    judgement = judge(Outcome.scored, 1.0, comparison(-gain), settings(min_gain=min_gain))
    assert (judgement.decision is Decision.kept) == (gain > min_gain)


@pytest.mark.parametrize(
    ("goal", "rare", "kept"),
    [
        (Goal.minimize, (0.31, 0.1), False),
        (Goal.minimize, (0.29, 0.1), True),
        (Goal.minimize, (-0.31, 0.1), True),
        (Goal.maximize, (-0.31, 0.1), False),
        (Goal.maximize, (0.31, 0.1), True),
        (Goal.minimize, (0.001, 0.0), False),
        (Goal.minimize, (0.0, 0.0), True),
        (Goal.minimize, (math.nan, 0.1), False),
    ],
)
def test_a_slice_may_not_lose_more_than_noise(
    goal: Goal, rare: tuple[float, float], kept: bool
) -> None:
    """A gain in the mean does not make up for it; the reason names the slice."""
    gain = -1.0 if goal is Goal.minimize else 1.0
    judgement = judge(
        Outcome.scored, 1.0, comparison(gain, common=(gain, 0.1), rare=rare), settings(goal)
    )
    assert (judgement.decision is Decision.kept) == kept
    assert ("'rare'" in judgement.reason) == (not kept)
    assert judgement.gain == 1.0


@pytest.mark.parametrize("outcome", [o for o in Outcome if o is not Outcome.scored])
def test_no_outcome_but_scored_is_kept(outcome: Outcome) -> None:
    """Not even when a score and a comparison come with it."""
    judgement = judge(outcome, 0.0, comparison(-1), settings())
    assert judgement.decision is Decision.discarded
    assert judgement.gain is None
    assert judge_baseline(outcome, 0.0).decision is Decision.discarded


@pytest.mark.parametrize("score", NO_SCORE)
def test_missing_and_infinite_are_no_scores(score: float | None) -> None:
    """A candidate with a score that is no number loses, a baseline with one is none."""
    assert not has_score(Outcome.scored, score)
    assert judge(Outcome.scored, score, comparison(-1), settings()).decision is Decision.discarded
    assert judge_baseline(Outcome.scored, score).decision is Decision.discarded


@pytest.mark.parametrize(
    "compared",
    [None, *(comparison(float(x)) for x in NO_SCORE[1:]), comparison(-1, math.nan)],
)
def test_what_cannot_be_compared_is_discarded(compared: Comparison | None) -> None:
    """A difference that is missing or no number keeps nothing."""
    judgement = judge(Outcome.scored, 1.0, compared, settings())
    assert judgement.decision is Decision.discarded
    assert judgement.gain is None


def test_the_baseline_is_the_first_champion() -> None:
    """It is compared with nothing."""
    judgement = judge_baseline(Outcome.scored, 3.0)
    assert judgement.decision is Decision.kept
    assert judgement.gain is None


@pytest.mark.parametrize("keep", [Keep.margin, Keep.naive])
def test_one_trial_and_one_comparison_are_asked_for(keep: Keep) -> None:
    """In this order, and never the champion's."""
    given = settings(keep=keep)
    assert rules.judge(evidence(looks=[]), given) is Ask.candidate
    assert rules.judge(evidence(Tried(Outcome.scored, 1.0), looks=[]), given) is Ask.comparison
    assert rules.judge_baseline([], given) is Ask.candidate


@pytest.mark.parametrize(("gain", "kept"), [(1e-6, True), (0.0, False), (-1e-6, False)])
def test_naive_keeps_whatever_is_better(gain: float, kept: bool) -> None:
    """By however little, and whatever `min_gain` says; no score is no score here too."""
    given = settings(keep=Keep.naive, min_gain=0.5)
    judgement = judge(Outcome.scored, 1.0, comparison(-gain), given)
    assert (judgement.decision is Decision.kept) == kept
    assert judge(Outcome.crash, 1.0, comparison(-1), given).decision is Decision.discarded
    assert judge(Outcome.scored, math.nan, comparison(-1), given).decision is Decision.discarded
    assert judge(Outcome.scored, 1.0, None, given).decision is Decision.discarded


@pytest.mark.parametrize("keep", [Keep.margin, Keep.naive])
def test_on_an_exact_tie_the_smaller_program_is_kept(keep: Keep) -> None:
    """Alike on every example; a mean that is only equal, or a program of the same size, is none."""
    tie = comparison(1e-17, standard_error=0.0)
    for compared, smaller, kept in (
        (tie, True, True),
        (tie, False, False),
        (comparison(0.0), True, False),
    ):
        given = settings(Goal.minimize, keep=keep)
        judgement = judge(Outcome.scored, 1.0, compared, given, smaller=smaller)
        assert (judgement.decision is Decision.kept) == kept
