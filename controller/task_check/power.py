"""Which gains a task's rule finds, in how many trials, and what would let it find smaller ones.

Candidates of known worth are judged by the very rule of the task, with the noise that the check has
measured: between seeds, and of the held-out examples.
"""

import math
import random
from functools import partial
from statistics import fmean

from msgspec import Struct

from controller.decision import Decision, better
from controller.decision.confirmed import LOOKS, least_gain
from controller.decision.noise import Noise
from controller.decision.rules import baseline_trials
from controller.task_check.played import play
from sandbox.api import Keep, TaskSettings

TRIES = 200
"""Candidates of each worth: a share is then known to within 7 of 100."""
_FEWER = 0.25
"""Of a variance, that is what four times the held-out examples leave."""


class Power(Struct, frozen=True, kw_only=True):
    """What becomes of candidates that are truly better by `gain`, in the metric's unit."""

    gain: float
    found: float
    """The share that is kept."""
    trials: float | None
    """Of a kept one, the champion's for it included; None: none was kept."""


class Least(Struct, frozen=True, kw_only=True):
    """The smallest gain that is told from luck with all trials, in the metric's unit."""

    now: float
    more_examples: float
    """With four times the held-out examples."""
    steadier: float
    """With a quarter of the variance between seeds."""
    of_examples: float
    """The share that the examples have in the variance of a gain, after all trials."""


def power(settings: TaskSettings, noise: Noise, error: float, gain: float) -> Power:
    """Judge `TRIES` candidates; `error` is of a comparison by its examples, in the metric's unit.

    The same luck for the same arguments.
    """
    luck, sign = random.Random(7), better(settings)
    kept = []
    for _ in range(TRIES):
        # How the held-out examples flatter it is the same in all its trials.
        worth = sign * gain + luck.gauss(0, error)
        first = [luck.gauss(0, noise.deviation) for _ in range(baseline_trials(settings))]
        own = partial(luck.gauss, worth, noise.deviation)
        champion = partial(luck.gauss, 0.0, noise.deviation)
        found, judgement = play(settings, [first], own, champion, error)
        if judgement.decision is Decision.kept:
            kept.append(len(found.candidate) + len(found.top_ups))
    return Power(gain=gain, found=len(kept) / TRIES, trials=fmean(kept) if kept else None)


def least(settings: TaskSettings, noise: Noise, error: float) -> Least:
    """What is told from luck now, and what it would be with more data or less noise."""
    of_seeds = noise.variance * _seeds(settings)
    whole = of_seeds + error**2
    return Least(
        now=_least(settings, noise, error),
        more_examples=_least(settings, noise, error * math.sqrt(_FEWER)),
        steadier=_least(
            settings, Noise(variance=noise.variance * _FEWER, degrees=noise.degrees), error
        ),
        of_examples=error**2 / whole if whole else 0.0,
    )


def _seeds(settings: TaskSettings) -> float:
    """What of the seeds' variance is left in a gain after all trials."""
    if settings.keep is Keep.confirmed:
        return 1 / LOOKS[-1] + 1 / (settings.noise_seeds + LOOKS[-1])
    return 2.0


def _least(settings: TaskSettings, noise: Noise, error: float) -> float:
    if settings.keep is Keep.confirmed:
        return least_gain(noise, settings.noise_seeds, settings, error)
    # One trial each: what 3 standard errors are, as tasks/README.md says of `min_gain`.
    return max(settings.min_gain, 3 * math.sqrt(error**2 + noise.variance * _seeds(settings)))
