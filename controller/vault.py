"""The gap between held-out split and vault: has the loop fitted itself to what it is scored on?

The champion's gain over the baseline is measured on both splits by the same trials. No decision
knows the vault, so no choice can have flattered it there. For the operator alone.
"""

import math
from collections.abc import Iterable
from statistics import fmean

from msgspec import Struct
from msgspec.structs import replace

from controller.decision import Decision, better
from controller.decision.distributions import t_quantile
from controller.decision.noise import pooled
from controller.ledger import Experiment, Ledger, RunRow, Trial

_OUTSIDE = 0.05
_ALARM = 0.00135
"""The chance of an alarm without cause: that of three standard errors and more."""


class Gap(Struct, frozen=True, kw_only=True):
    """The champion's gain over the baseline on both splits, in the metric's unit."""

    held_out: float
    vault: float
    gap: float
    """By how much the held-out split promises more than the vault confirms."""
    low: float
    """Of the gap's 95 % interval."""
    high: float
    alarm: bool
    """The gap is beyond what chance explains: believe the vault."""


def vault_gap(ledger: Ledger, row: RunRow) -> Gap | None:
    """Of the champion of a run; None: it is the baseline, or the vault was not asked.

    The error has the trials' own spread, and for each kept change the examples' error of its
    comparison, twice: the vault is taken to be as large as the held-out split.
    """
    champion = ledger.champion()
    if champion is None or champion.number == 0:
        return None
    sides = [_both(ledger.trials(number)) for number in (champion.number, 0)]
    if min(len(side) for side in sides) < 2:
        return None
    sign = better(row.settings)
    held_out, vault = (
        sign * (fmean(pair[split] for pair in sides[0]) - fmean(pair[split] for pair in sides[1]))
        for split in (0, 1)
    )
    excess = [[sign * (score - sealed) for score, sealed in side] for side in sides]
    spread = pooled(excess)
    seeds = spread.variance * sum(1 / len(side) for side in excess)
    error = math.sqrt(seeds + 2 * _examples_variance(ledger, champion.number))
    gap = held_out - vault
    half = error * t_quantile(_OUTSIDE / 2, spread.degrees)
    return Gap(
        held_out=held_out,
        vault=vault,
        gap=gap,
        low=gap - half,
        high=gap + half,
        alarm=gap > error * t_quantile(_ALARM, spread.degrees),
    )


def revealed_trials(ledger: Ledger, experiment: Experiment) -> list[Trial]:
    """An experiment's trials; the vault is shown of what was kept alone.

    It is no second chance to choose by, not for a person either.
    """
    kept = experiment.decision is Decision.kept
    trials = ledger.trials(experiment.number)
    return trials if kept else [replace(trial, vault_score=None) for trial in trials]


def purpose_of(trial: Trial) -> str:
    """What a trial was for."""
    if trial.asked_by != trial.experiment:
        return f"experiment {trial.asked_by}, to compare with"
    if trial.experiment == 0:
        return "the noise floor"
    return "the screen" if trial.number == 1 else "confirming"


def _both(trials: Iterable[Trial]) -> list[tuple[float, float]]:
    """Held-out score and vault score of the trials that have both."""
    return [
        (trial.score, trial.vault_score)
        for trial in trials
        if trial.score is not None and trial.vault_score is not None
    ]


def _examples_variance(ledger: Ledger, champion: int) -> float:
    """Squared errors by the examples of all changes from the baseline to the champion, in sum."""
    variance, number = 0.0, champion
    while number:
        compared = [look.comparison for look in ledger.looks(number) if look.comparison is not None]
        variance += compared[-1].standard_error ** 2
        number = ledger.experiment(number).parent or 0
    return variance
