"""What becomes of a candidate: pure functions, no clock, no database, no sandbox.

A rule takes `Evidence` and either says what it must know next (`Ask`), or gives a `Judgement`.
Asked again with the same evidence it says the same, so whoever has the evidence can recompute each
step of a decision. A score that is missing, NaN or infinite is no score under any rule.
"""

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import TypeVar

from msgspec import Struct

from sandbox.api import Comparison, Goal, Outcome, TaskSettings

_ROUNDING = 1e-12
"""Of a mean of some thousand doubles, relative to it, with room to spare."""
COUNTED = 32
"""So many of a champion's trials count, the latest ones, and those of the experiment under way.

A champion of a thousand experiments has a thousand trials, and each would be compared again in
every experiment. More of them hardly help: of a gain's variance by seeds, the champion's 32 have a
fifth where the candidate has eight trials, and by what all others have it could become none.
"""

T = TypeVar("T")


class Decision(StrEnum):
    """What became of a candidate."""

    kept = "kept"
    discarded = "discarded"


class Judgement(Struct, frozen=True, kw_only=True):
    """A decision and what it rests on. `reason` has figures: it is for the operator alone."""

    decision: Decision
    reason: str
    gain: float | None = None
    """How much better than the champion, in the metric's unit; negative is worse."""
    standard_error: float | None = None
    """Of the gain."""
    low: float | None = None
    """Of the gain's 95 % interval, where it was measured by confirming trials."""
    high: float | None = None


class Ask(StrEnum):
    """What a rule must know next."""

    candidate = "candidate"
    """Another trial of the candidate."""
    champion = "champion"
    """Another trial of the champion, on the same slot at nearly the same time."""
    comparison = "comparison"
    """The trials that there are, compared example by example."""


class Tried(Struct, frozen=True):
    """What one trial came to."""

    outcome: Outcome | None
    score: float | None


class Look(Struct, frozen=True, kw_only=True):
    """A comparison of a candidate's trials with its champion's."""

    candidate_trials: int
    champion_trials: int
    comparison: Comparison | None
    """Candidate minus champion; None: the sandbox says that they can't be compared."""


class Evidence(Struct, frozen=True, kw_only=True):
    """All that a rule may know of a candidate."""

    candidate: Sequence[Tried]
    """Its trials in order: the first is the screen, the others confirm."""
    top_ups: Sequence[Tried]
    """The champion's trials that this experiment asked for, in order."""
    champions: Sequence[Sequence[float]]
    """Scores that kept champions had before, one sequence each, the present one's last.

    A champion's own screen is left out where it has other trials: it was chosen for its luck. Of
    the others, those that are `counted`.
    """
    looks: Sequence[Look]
    """In order; the first is the screen's."""
    candidate_bytes: int
    champion_bytes: int


def counted(trials: Sequence[T]) -> list[T]:
    """Of a champion's trials in order, those that a candidate is compared with."""
    return list(trials[-COUNTED:])


def has_score(outcome: Outcome | None, score: float | None) -> bool:
    """Whether a trial came to a number that can be compared."""
    return outcome is Outcome.scored and score is not None and math.isfinite(score)


def scores_of(trials: Sequence[Tried]) -> list[float]:
    """The scores of those trials that have one."""
    return [t.score for t in trials if t.score is not None and has_score(t.outcome, t.score)]


def better(settings: TaskSettings) -> float:
    """What a difference of scores is multiplied by, so that better is positive."""
    return -1.0 if settings.goal is Goal.minimize else 1.0


def unscored(outcome: Outcome | None) -> Judgement:
    """Of a candidate with a trial that has no score."""
    ended = "without a finite score" if outcome is Outcome.scored else f"as {outcome}"
    return Judgement(decision=Decision.discarded, reason=f"The trial ended {ended}.")


def incomparable() -> Judgement:
    """Of a candidate whose trials the sandbox can't compare with the champion's."""
    return Judgement(decision=Decision.discarded, reason="It can't be compared with the champion.")


def by_one_trial(found: Evidence) -> Comparison | Judgement | Ask:
    """The comparison of a candidate's one trial, or why there is none, or what it needs first."""
    if not found.candidate:
        return Ask.candidate
    trial = found.candidate[0]
    if not has_score(trial.outcome, trial.score):
        return unscored(trial.outcome)
    if not found.looks:
        return Ask.comparison
    comparison = found.looks[0].comparison
    return incomparable() if comparison is None or not is_finite(comparison) else comparison


def is_finite(comparison: Comparison) -> bool:
    """Whether a comparison came to numbers."""
    return math.isfinite(comparison.difference) and math.isfinite(comparison.standard_error)


def is_smaller_tie(found: Evidence, comparison: Comparison) -> bool:
    """Whether a candidate does as the champion on every example, with a smaller program.

    Where training is a matter of luck there is no such tie, and so no way round the rules.
    """
    least = rounding(found)
    exact = abs(comparison.difference) <= least and comparison.standard_error <= least
    return exact and found.candidate_bytes < found.champion_bytes


def rounding(found: Evidence) -> float:
    """What a difference of equal scores may come to, because each is a mean of rounded numbers."""
    return _ROUNDING * max((abs(score) for score in found.champions[-1]), default=0.0)
