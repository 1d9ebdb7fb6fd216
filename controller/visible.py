"""The one filter for what an agent may read of a run.

Prompts, APIs for agents, and the trailers of commits are made from `Seen` and `View` alone. What
is in neither: exact scores (unless `feedback: exact`), gains and standard errors, the operator's
reasons, times and bytes of sealed phases, sizes of the held-out data.

A score under `rounded` is a multiple of a step, and no further than eight steps from the champion
that it was compared with, so that noise within a step is not mistaken for progress. Rounding alone
would not keep the labels: `tests/simulate/labels.py` reads a thousand of them in 300 experiments,
by answers that make each wrong one cost a step. So what was not kept has noise in it besides, as
much as the standard error of its gain: answers that let single labels weigh much have a large one.
A new champion's own score is rounded alone. Under `ladder` only a score that improves by a step
is told at all (Blum and Hardt, "The Ladder", 2015). What was measured on the rehearsal split is
public in full.
"""

import hmac
import math
from collections.abc import Sequence
from statistics import NormalDist

from msgspec import Struct

from controller.decision import Decision, has_score
from controller.decision.noise import Noise
from controller.ledger.rows import Experiment
from controller.text import printable
from sandbox.api import Feedback, Goal, Outcome, TaskSettings

LOG_LETTERS = 4000
"""How much of a log's end an agent is shown."""
_REASON_LETTERS = 2000
_STEPS = 8
_LEAST = 1e-9
"""Of a score; what differs by less does so because numbers are rounded, and is no noise."""


class Seen(Struct, frozen=True, kw_only=True):
    """One experiment as an agent sees it."""

    number: int
    agent: str
    """Who proposed it."""
    candidate: str
    hypothesis: str
    outcome: Outcome
    decision: Decision
    score: float | None
    """As the task's `feedback` allows; None: not scored, or not told."""
    rehearsal_score: float | None
    reason: str
    log: str
    """The end of what the candidate wrote in training and rehearsal."""
    seconds: float
    """Of the trainer."""


class Refused(Struct, frozen=True, kw_only=True):
    """A proposal that was no candidate, as an agent sees it."""

    agent: str
    hypothesis: str
    reason: str


class View(Struct, frozen=True, kw_only=True):
    """All that an agent is given to propose from."""

    program: str
    metric: str
    goal: Goal
    champion: Seen
    experiments: Sequence[Seen]
    """All recorded ones by number, the baseline first."""
    proposals: int
    """How many were made after the baseline, refused ones included."""
    min_gain: float
    """What a gain must exceed to be kept, in the metric's unit."""
    step: float | None
    """What scores are told in multiples of, by the champion's; None: they are exact."""
    refused: Sequence[Refused]
    """Proposals since the champion that were no candidates, the oldest first."""


def seen(
    experiment: Experiment,
    champion: Experiment | None,
    settings: TaskSettings,
    *,
    noise: Noise | None,
    salt: str,
    candidate: str,
    log: str,
) -> Seen:
    """What an agent may know of a decided experiment.

    `champion` is the one that it was compared with; the baseline has none. `noise` is the run's
    noise floor, where it was measured. The same `salt` tells the same of the same score. One that
    was dethroned is told as `dishonest`, discarded, and without a score: it is none to build on.
    """
    outcome, decision = experiment.outcome, experiment.decision
    if outcome is None or decision is None:
        raise ValueError(f"experiment {experiment.number} is not decided yet")
    fallen = experiment.dethroned_by is not None
    return Seen(
        number=experiment.number,
        agent=experiment.agent,
        candidate=candidate,
        hypothesis=experiment.hypothesis,
        outcome=Outcome.dishonest if fallen else outcome,
        decision=Decision.discarded if fallen else decision,
        score=None if fallen else _told(experiment, champion, settings, noise, salt),
        rehearsal_score=_finite(experiment.rehearsal_score),
        reason=printable(experiment.trial_reason or "", _REASON_LETTERS),
        log=printable(log, LOG_LETTERS),
        seconds=experiment.seconds or 0.0,
    )


def step(
    settings: TaskSettings, noise: Noise | None, standard_error: float | None, score: float
) -> float:
    """The unit of rounding, positive, in the metric's unit.

    `min_gain` where the task has one. Else the noise floor, up to its next digit. Else, under the
    rules that measure none, the next power of ten from the standard error of the comparison, but no
    finer than the third digit of the score: two candidates that hardly differ have a tiny error.
    Else (a baseline, a scorer with a single value, no noise) the score's second digit.
    """
    if settings.min_gain > 0:
        return settings.min_gain
    if noise is not None and noise.deviation > _LEAST * abs(score):
        unit = _digit(1, noise.deviation)
        return _multiple(math.ceil(noise.deviation / unit), unit)
    if standard_error is not None and math.isfinite(standard_error) and standard_error > 0:
        return max(_power_of_ten(math.ceil(math.log10(standard_error))), _digit(3, score))
    return _digit(2, score)


def step_told(champion: Experiment, settings: TaskSettings, noise: Noise | None) -> float | None:
    """The step of the champion's score; None where scores are exact."""
    if settings.feedback is Feedback.exact or champion.score is None:
        return None
    return step(settings, noise, champion.standard_error, champion.score)


def _told(
    experiment: Experiment,
    champion: Experiment | None,
    settings: TaskSettings,
    noise: Noise | None,
    salt: str,
) -> float | None:
    score = experiment.score
    if score is None or not has_score(experiment.outcome, score):
        return None
    if settings.feedback is Feedback.exact:
        return score
    unit = step(settings, noise, experiment.standard_error, score)
    kept = experiment.decision is Decision.kept
    if settings.feedback is Feedback.ladder:
        improved = experiment.gain is None or experiment.gain >= unit
        return _rounded(score, unit) if kept and improved else None
    if kept or champion is None or champion.score is None:
        return _rounded(score, unit)
    middle = _count(champion.score, unit)
    blurred = _count(score + _blur(experiment, unit) * _normal(salt, score), unit)
    return _multiple(max(middle - _STEPS, min(middle + _STEPS, blurred)), unit)


def _blur(experiment: Experiment, unit: float) -> float:
    """The standard deviation of the noise in a score that was not kept, in the metric's unit."""
    error = experiment.standard_error
    if error is None or not math.isfinite(error):
        return unit
    return max(unit / 2, error) if error else 0.0  # of a single value there are no labels


def _normal(salt: str, score: float) -> float:
    """Drawn from the normal distribution: who knows the salt draws the same for a score."""
    digest = hmac.digest(salt.encode(), score.hex().encode(), "sha256")
    return NormalDist().inv_cdf((int.from_bytes(digest[:6], "big") + 0.5) / 2**48)


def _rounded(score: float, unit: float) -> float:
    return _multiple(_count(score, unit), unit)


def _count(score: float, unit: float) -> int:
    # Bounded, for a huge score over a tiny step is infinite, and so are many huge steps.
    most = min(1e15, 1e300 / unit)
    return round(max(-most, min(most, score / unit)))


def _multiple(count: int, unit: float) -> float:
    # 13 * 0.1 is 1.3000000000000000444: print no digits that are not meant.
    return float(f"{count * unit:.15g}")


def _digit(place: int, score: float) -> float:
    return _power_of_ten(math.floor(math.log10(abs(score))) + 1 - place) if score else 1.0


def _power_of_ten(exponent: int) -> float:
    return float(f"1e{max(-300, min(300, exponent))}")


def _finite(score: float | None) -> float | None:
    return score if score is not None and math.isfinite(score) else None
