"""What each proposer of a run has added: experiments, gains and dollars, with an interval. Pure.

The interval is of the sum of a proposer's kept gains, were it to make as many experiments again:
the sum ± 1.96 √V, where V is the sample variance of its experiments' gains (0 for one that was not
kept) times their number, plus the variance of each kept gain's own measurement. Below
`LEAST_KEPT` kept ones there is none, for then it is chance how far the sum is from its mean.

Two things are in no interval: gains are easier early in a run than late, and a gain that passed
the rule is larger than the truth on average. Both are alike for proposers of the same time.
"""

import math
from collections.abc import Iterable, Mapping

from msgspec import Struct

from controller.ledger.rows import Experiment

LEAST_KEPT = 5
_QUANTILE = 1.96
"""Of 95 %."""


class Interval(Struct, frozen=True, kw_only=True):
    """In the metric's unit."""

    low: float
    high: float


class Proposer(Struct, frozen=True, kw_only=True):
    """One that proposed: `search`, `replay`, or a model as `llm:MODEL`."""

    name: str
    experiments: int
    """Recorded ones."""
    kept: int
    """And not dethroned."""
    refused: int
    gain: float
    """Sum of its kept candidates' gains, in the metric's unit; better is positive."""
    interval: Interval | None
    """Of the gain; None: too few were kept."""
    dollars: float | None
    """What its calls cost; None: it makes none."""


def proposers(
    recorded: Mapping[str, int],
    kept: Iterable[Experiment],
    refused: Mapping[str, int],
    spent: Mapping[str, float],
) -> list[Proposer]:
    """All of a run's, by name: how many each has made, what was kept, refused, and spent on it."""
    standing: dict[str, list[Experiment]] = {}
    for experiment in kept:
        if experiment.is_kept:
            standing.setdefault(experiment.agent, []).append(experiment)
    found = []
    for name in sorted({*recorded, *refused, *spent}):
        gains = [e.gain or 0.0 for e in standing.get(name, ())]
        errors = [e.standard_error or 0.0 for e in standing.get(name, ())]
        count = recorded.get(name, 0)
        proposer = Proposer(
            name=name,
            experiments=count,
            kept=len(gains),
            refused=refused.get(name, 0),
            gain=math.fsum(gains),
            interval=_interval(gains, errors, count),
            dollars=spent.get(name),
        )
        found.append(proposer)
    return found


def _interval(gains: list[float], errors: list[float], count: int) -> Interval | None:
    if len(gains) < LEAST_KEPT or not all(map(math.isfinite, gains + errors)):
        return None
    total = math.fsum(gains)
    mean = total / count
    squares = math.fsum((gain - mean) ** 2 for gain in gains) + (count - len(gains)) * mean**2
    chance = squares * count / (count - 1)
    reach = _QUANTILE * math.sqrt(chance + math.fsum(error**2 for error in errors))
    return Interval(low=total - reach, high=total + reach)
