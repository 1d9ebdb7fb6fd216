"""The keep rule `confirmed`: what it asks for, and what it believes."""

import math
from collections.abc import Sequence
from statistics import fmean

import pytest

from controller.decision import Ask, Decision, Evidence, Judgement, Look, Tried
from controller.decision.confirmed import LOOKS
from controller.decision.rules import judge, judge_baseline
from sandbox.api import Comparison, Goal, Outcome, SliceDifference, TaskSettings

SETTINGS = TaskSettings(metric="bits", goal=Goal.maximize, budget_seconds=1)
BASELINE = (-1.2, -0.5, 0.1, 0.4, 1.2)
"""Scores with a standard deviation of 0.9 and a mean of 0."""
SPREAD = (-0.9, 0.9, 0.3, -0.3, 0.8, -0.8, 0.2, -0.2)
"""What trials differ by, of a program as noisy as that."""


def scored(*scores: float) -> list[Tried]:
    """Trials with these scores."""
    return [Tried(Outcome.scored, score) for score in scores]


class Played:
    """An experiment that gives the rule what it asks for, from a script."""

    def __init__(
        self,
        candidate: Sequence[Tried],
        top_ups: Sequence[Tried] = tuple(scored(*SPREAD)),
        *,
        champions: Sequence[Sequence[float]] = (BASELINE,),
        error: float = 0.0,
        slices: dict[str, SliceDifference] | None = None,
        sizes: tuple[int, int] = (10, 10),
        settings: TaskSettings = SETTINGS,
    ) -> None:
        self.asked: list[Ask] = []
        own: list[Tried] = []
        again: list[Tried] = []
        looks: list[Look] = []
        found = Evidence(
            candidate=own,
            top_ups=again,
            champions=champions,
            looks=looks,
            candidate_bytes=sizes[0],
            champion_bytes=sizes[1],
        )
        while isinstance(ask := judge(found, settings), Ask):
            self.asked.append(ask)
            assert len(self.asked) < 100
            if ask is Ask.candidate:
                own.append(candidate[len(own)])
            elif ask is Ask.champion:
                again.append(top_ups[len(again)])
            else:
                tried = [t.score for t in own[1:] or own if t.score is not None]
                beside = [*champions[-1], *(t.score for t in again if t.score is not None)]
                comparison = Comparison(
                    difference=fmean(tried) - fmean(beside),
                    standard_error=error,
                    examples=10,
                    slices=slices or {},
                )
                looks.append(
                    Look(
                        candidate_trials=len(tried),
                        champion_trials=len(beside),
                        comparison=comparison,
                    )
                )
        self.judgement: Judgement = ask
        self.kept = ask.decision is Decision.kept


def better_by(gain: float) -> list[Tried]:
    """A candidate that is truly better by so much, in all nine trials."""
    return scored(gain, *(gain + luck for luck in SPREAD))


def test_what_the_screen_does_not_pass_has_one_trial() -> None:
    """A gain that one standard error explains is not looked at again."""
    played = Played(better_by(0.9))
    assert played.asked == [Ask.candidate, Ask.comparison]
    assert not played.kept
    assert "Screened" in played.judgement.reason


def test_a_gain_is_confirmed_in_turn_with_the_champion() -> None:
    """Candidate, champion, candidate, …, and a look when both have three trials."""
    played = Played(better_by(20.0))
    pair = [Ask.candidate, Ask.champion]
    assert played.asked == [Ask.candidate, Ask.comparison, *pair * 3, Ask.comparison]
    assert played.kept
    assert played.judgement.gain == pytest.approx(fmean(SPREAD[:3]) + 20 - fmean(
        [*BASELINE, *SPREAD[:3]]
    ))  # fmt: skip


def test_the_gain_is_told_with_its_interval() -> None:
    """It has the gain in its middle, and the errors of examples and seeds in its width."""
    narrow, wide = (Played(better_by(20.0), error=error).judgement for error in (0.0, 2.0))
    for told in (narrow, wide):
        assert told.low is not None
        assert told.high is not None
        assert told.gain == pytest.approx((told.low + told.high) / 2)
        assert told.low < 20 < told.high
    assert wide.standard_error is not None
    assert narrow.standard_error is not None
    assert wide.standard_error**2 == pytest.approx(narrow.standard_error**2 + 4)


def test_the_trial_of_the_screen_does_not_count() -> None:
    """However high it was, the confirming ones decide."""
    played = Played(scored(1000.0, *SPREAD))
    assert not played.kept
    assert played.judgement.gain is not None
    assert abs(played.judgement.gain) < 1


def test_it_stops_when_the_mean_gain_is_below_zero() -> None:
    """After any pair of trials: there is nothing left to confirm."""
    played = Played(scored(5.0, -3.0))
    assert played.asked[-2:] == [Ask.candidate, Ask.champion]
    assert not played.kept
    assert "below zero" in played.judgement.reason


def test_what_stays_undecided_is_discarded_after_the_last_look() -> None:
    """Eight trials, three looks, and no more."""
    played = Played(scored(2.0, *(1.0 + luck for luck in SPREAD)))
    assert played.asked.count(Ask.candidate) == 1 + LOOKS[-1]
    assert played.asked.count(Ask.champion) == LOOKS[-1]
    assert played.asked.count(Ask.comparison) == 1 + len(LOOKS)
    assert not played.kept


@pytest.mark.parametrize("trial", [0, 1, 3])
@pytest.mark.parametrize(
    ("outcome", "score"),
    [(Outcome.crash, None), (Outcome.error, None), (Outcome.scored, math.nan)],
)
def test_a_trial_without_a_score_discards(
    trial: int, outcome: Outcome, score: float | None
) -> None:
    """A candidate can't choose by crashing which of its trials count."""
    trials = better_by(20.0)
    trials[trial] = Tried(outcome, score)
    assert not Played(trials).kept


def test_a_fixed_seed_does_not_reproduce_its_luck() -> None:
    """What is the same in every trial is no more certain by being repeated."""
    lucky = 2.7
    still = Played(scored(lucky, *[lucky] * 8))
    assert not still.kept
    assert Played(better_by(lucky)).kept, "the same gain, with the spread of an honest program"


def test_a_noisy_candidate_is_tested_on_its_own_spread_and_by_all_trials() -> None:
    """The champion's noise would make its luck look like a gain."""
    wild = scored(30.0, *(9 + 15 * luck for luck in reversed(SPREAD)))
    played = Played(wild)
    assert not played.kept
    assert played.asked.count(Ask.candidate) == 9
    assert Played(scored(9.0, *(9 + luck for luck in SPREAD))).kept


def test_a_small_sample_of_noise_is_not_trusted() -> None:
    """With few trials of champions the same gain must be larger against the same noise."""
    gain, tops = 2.4, scored(*SPREAD)
    few = Played(better_by(gain), tops)
    older = [BASELINE] * 9
    many = Played(better_by(gain), tops, champions=older)
    assert (few.kept, many.kept) == (True, True)
    assert len(many.asked) < len(few.asked)


def test_without_any_noise_every_real_difference_counts() -> None:
    """A scorer with a single value and a deterministic training; rounding is no difference."""
    alike = [2.5] * 5
    again = scored(*[2.5] * 8)
    assert Played(scored(*[2.5001] * 9), again, champions=[alike]).kept
    assert not Played(scored(*[2.5] * 9), again, champions=[alike]).kept
    rounded = Played(scored(*[2.5 + 1e-15] * 9), again, champions=[alike])
    assert not rounded.kept
    assert rounded.asked == [Ask.candidate, Ask.comparison]


def test_on_an_exact_tie_the_smaller_program_is_kept() -> None:
    """Confirmed too; with any noise there is no tie, so nothing is kept for being short."""
    alike, again = [2.5] * 5, scored(*[2.5] * 8)
    same = scored(*[2.5] * 9)
    assert Played(same, again, champions=[alike], sizes=(9, 10)).kept
    assert not Played(same, again, champions=[alike], sizes=(10, 10)).kept
    assert not Played(scored(0.0, *SPREAD), sizes=(9, 10)).kept


def test_a_champion_that_cheats_is_no_measure() -> None:
    """The candidate was made from it, and is discarded with it."""
    tops = [*scored(0.1), Tried(Outcome.dishonest, None), *scored(*SPREAD)]
    played = Played(better_by(20.0), tops)
    assert not played.kept
    assert "dishonest" in played.judgement.reason


def test_a_champions_trial_that_fails_does_not_hold_the_candidate_up() -> None:
    """It counts for nothing, on either side."""
    tops = [Tried(Outcome.timeout, None), *scored(*SPREAD)]
    assert Played(better_by(20.0), tops).kept


def test_a_gain_below_min_gain_is_not_worth_keeping() -> None:
    """Where the task says what is; sure or not."""
    wanted = TaskSettings(metric="bits", goal=Goal.maximize, budget_seconds=1, min_gain=25)
    assert not Played(better_by(20.0), settings=wanted).kept
    assert Played(better_by(30.0), settings=wanted).kept


@pytest.mark.parametrize(("loss", "kept"), [(5.0, False), (0.5, True)])
def test_a_slice_may_not_pay_for_the_gain(loss: float, kept: bool) -> None:
    """Beyond three standard errors of examples and seeds together."""
    rare = {"rare": SliceDifference(difference=-loss, standard_error=0.3)}
    played = Played(better_by(20.0), slices=rare)
    assert played.kept == kept
    assert ("'rare'" in played.judgement.reason) == (not kept)


def test_trials_that_can_no_longer_be_compared_discard() -> None:
    """As under the other rules."""
    look = Look(candidate_trials=1, champion_trials=5, comparison=None)
    found = Evidence(
        candidate=scored(5.0),
        top_ups=[],
        champions=[BASELINE],
        looks=[look],
        candidate_bytes=1,
        champion_bytes=1,
    )
    judgement = judge(found, SETTINGS)
    assert isinstance(judgement, Judgement)
    assert judgement.decision is Decision.discarded


def test_the_noise_floor_comes_first_and_is_told_in_words() -> None:
    """As many trials as the task asks for, then σ, its interval, and what it means."""
    for count in range(5):
        assert judge_baseline(scored(*BASELINE[:count]), SETTINGS) is Ask.candidate
    judgement = judge_baseline(scored(*BASELINE), SETTINGS)
    assert isinstance(judgement, Judgement)
    assert judgement.decision is Decision.kept
    assert "standard deviation of 0.91 bits (95 %: 0.54 to 2.6)" in judgement.reason
    assert "can't be told from luck" in judgement.reason
    still = judge_baseline(scored(*[2.5] * 5), SETTINGS)
    assert isinstance(still, Judgement)
    assert "Nothing here depends on luck" in still.reason
    failed = judge_baseline([*scored(1.0), Tried(Outcome.crash, None)], SETTINGS)
    assert isinstance(failed, Judgement)
    assert failed.decision is Decision.discarded
