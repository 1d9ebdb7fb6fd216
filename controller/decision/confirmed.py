"""The rule `confirmed`: a gain that one trial shows must be there again with fresh seeds.

**Screen**: the first trial's gain must exceed its own standard error. **Confirm**: trials of the
candidate and of the champion in turn, until the mean gain is below zero, or far enough above it at
a look after 3, 5 or 8 of them. The screen's trial counts no more: it was chosen for its luck. Level
of a look: `false_keeps_per_100 / (100 · 0.16 · looks)`, for of candidates that change nothing 16 of
100 pass the screen.

The error of a gain has three parts: of the examples (`s`, the paired comparison's), of the
candidate's seeds, of the champion's. The seed noise σ is pooled over kept champions; as it is known
from few trials, a gain is held against Student's t, with degrees of freedom by Welch (1947,
Biometrika 34) and Satterthwaite (1946, Biometrics Bulletin 2).

A candidate's seeds need not be as noisy as the champion's. Noisier than σ: its own spread counts,
with the few degrees of freedom that it has. Stiller: it may have frozen a part of its luck, by a
seed that it has fixed, and that part is the same in every trial. What its spread is short of σ, by
the highest spread that is plausible, is therefore counted once, and not divided by its trials. So
it is with the champion's.
"""

import math
from collections.abc import Sequence

from controller.decision import (
    Ask,
    Decision,
    Evidence,
    Judgement,
    better,
    has_score,
    incomparable,
    is_finite,
    is_smaller_tie,
    rounding,
    scores_of,
    unscored,
)
from controller.decision.distributions import chi_squared_quantile, t_above, t_quantile
from controller.decision.noise import Noise, pooled, seed_noise
from controller.decision.slices import lost_slice
from sandbox.api import Comparison, Outcome, TaskSettings

LOOKS = (3, 5, 8)
"""After how many confirming trials the gain is looked at."""
PASSED_BY_LUCK = 0.16
"""The share of candidates that change nothing and pass the screen: one standard error or more."""
_PLAUSIBLE = 0.3
"""The chance that a candidate's own spread, as it is measured, is so far below the true one.

Higher, and less luck can be frozen unseen, but honest gains need more trials: `make simulate`.
"""
_OUTSIDE = 0.05
"""The chance that the gain's interval misses it."""


def judge(found: Evidence, settings: TaskSettings) -> Judgement | Ask:
    """Decide on a candidate, or say what is missing."""
    for trial in found.candidate:
        if not has_score(trial.outcome, trial.score):
            return unscored(trial.outcome)
    if any(trial.outcome is Outcome.dishonest for trial in found.top_ups):
        return _discarded("Its champion was dishonest in a trial, and is none any more.")
    if not found.candidate:
        return Ask.candidate
    if not found.looks:
        return Ask.comparison
    comparison = found.looks[-1].comparison
    if comparison is None or not is_finite(comparison):
        return incomparable()
    confirming = len(found.candidate) - 1
    if confirming == 0:
        return _screen(found, comparison, settings) or Ask.candidate
    if len(found.top_ups) < confirming:
        return Ask.champion
    gain = better(settings) * _difference(found)
    if gain < -rounding(found):
        return _discarded(f"Confirming, the mean gain is {gain:.6g}, below zero.", gain)
    if confirming not in LOOKS:
        return Ask.candidate
    if found.looks[-1].candidate_trials != confirming or len(found.looks) == 1:
        return Ask.comparison
    return _look(found, comparison, settings) or Ask.candidate


def least_gain(
    noise: Noise, champion_trials: int, settings: TaskSettings, examples: float = 0.0
) -> float:
    """The smallest gain that all looks together can tell from luck.

    `examples`: the standard error of a comparison by its examples; 0: whatever they say.
    """
    most = LOOKS[-1]
    seeds = noise.variance * (1 / most + 1 / (champion_trials + most))
    error = math.sqrt(seeds + examples**2)
    return max(settings.min_gain, error * t_quantile(_level(settings), noise.degrees + most))


def _level(settings: TaskSettings) -> float:
    return settings.false_keeps_per_100 / (100 * PASSED_BY_LUCK * len(LOOKS))


def _screen(found: Evidence, comparison: Comparison, settings: TaskSettings) -> Judgement | None:
    """None: it passed."""
    gain = better(settings) * comparison.difference + 0.0
    noise, trials = seed_noise(found.champions), found.looks[0].champion_trials
    error = math.sqrt(comparison.standard_error**2 + noise.variance * (1 + 1 / trials))
    if gain > max(error, settings.min_gain, rounding(found)):
        return None
    if is_smaller_tie(found, comparison):
        return None
    return _discarded(
        f"Screened, the gain of {gain:.6g} {settings.metric} is not above its standard error "
        f"of {error:.2g}" + (f", or {settings.min_gain:g}." if settings.min_gain else "."),
        gain,
        error,
    )


def _look(found: Evidence, comparison: Comparison, settings: TaskSettings) -> Judgement | None:
    """None: not decided yet."""
    own = scores_of(found.candidate[1:])
    champion = [*found.champions[-1], *scores_of(found.top_ups)]
    noise = seed_noise([*found.champions[:-1], champion])
    all_own = scores_of(found.candidate)
    own_spread, own_noise = _side(all_own, len(own), noise)
    champion_spread, champion_noise = _side(champion, len(champion), noise)
    parts = [
        (own_spread, len(all_own) - 1),
        (champion_spread, len(champion) - 1),
        (own_noise + champion_noise, noise.degrees),
    ]
    seeds = math.fsum(part for part, _ in parts)
    error = math.sqrt(comparison.standard_error**2 + seeds)
    degrees = _degrees(error**2, parts)
    sign = better(settings)
    gain = sign * comparison.difference + 0.0
    least = max(settings.min_gain, rounding(found))
    chance = t_above(gain / error if error else math.inf, degrees)
    half = error * t_quantile(_OUTSIDE / 2, degrees)
    told = (
        f"Confirmed by {len(own)} trials against {len(champion)} of the champion, the gain is "
        f"{gain:.6g} {settings.metric} (95 %: {gain - half:.6g} to {gain + half:.6g})"
    )
    last = len(own) == LOOKS[-1]
    kept = gain > least and chance < _level(settings) and (last or not own_spread)
    if kept:
        told += f"; the chance of so much by luck is {chance:.1g}."
    elif is_smaller_tie(found, comparison):
        kept, told = True, "It does exactly as the champion, and is the smaller program."
    elif not last:
        return None
    else:
        told += f"; by luck it would be that in {chance:.1g} of cases, which is too many."
    if kept and (lost := lost_slice(comparison, sign, seeds)):
        kept, told = False, f"{told} But {lost}"
    return Judgement(
        decision=Decision.kept if kept else Decision.discarded,
        reason=told,
        gain=gain,
        standard_error=error,
        low=gain - half,
        high=gain + half,
    )


def _side(scores: Sequence[float], trials: int, noise: Noise) -> tuple[float, float]:
    """What the seeds of one side add to a gain's variance, by its own spread and by the noise.

    `trials` are the ones that its mean is of; all `scores` tell of its spread.
    """
    spread = pooled([scores])
    if spread.variance > noise.variance:
        return spread.variance / trials, 0.0
    frozen = 0.0
    if spread.degrees:
        chance = chi_squared_quantile(_PLAUSIBLE, spread.degrees)
        frozen = max(0.0, noise.variance - spread.variance * spread.degrees / chance)
    return 0.0, frozen + (noise.variance - frozen) / trials


def _degrees(variance: float, parts: Sequence[tuple[float, float]]) -> float:
    """Of a sum of variances; what is not among the parts is known well."""
    uncertain = math.fsum(part**2 / degrees for part, degrees in parts if degrees)
    return variance**2 / uncertain if uncertain else math.inf


def _difference(found: Evidence) -> float:
    """Candidate minus champion by the confirming trials that there are."""
    own = scores_of(found.candidate[1:])
    champion = [*found.champions[-1], *scores_of(found.top_ups)]
    return math.fsum(own) / len(own) - math.fsum(champion) / len(champion)


def _discarded(reason: str, gain: float | None = None, error: float | None = None) -> Judgement:
    return Judgement(decision=Decision.discarded, reason=reason, gain=gain, standard_error=error)
