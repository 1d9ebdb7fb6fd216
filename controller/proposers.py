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

from controller.ledger.rows import Experiment, Refusal

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
    experiments: Iterable[Experiment], refusals: Iterable[Refusal], spent: Mapping[str, float]
) -> list[Proposer]:
    """All of a run's, by name; the baseline is nobody's."""
    made: dict[str, list[Experiment]] = {name: [] for name in spent}
    refused: dict[str, int] = {}
    for experiment in experiments:
        if experiment.number > 0 and experiment.commit_id is not None:
            made.setdefault(experiment.agent, []).append(experiment)
    for refusal in refusals:
        made.setdefault(refusal.agent, [])
        refused[refusal.agent] = refused.get(refusal.agent, 0) + 1
    return [
        _proposer(name, made[name], refused.get(name, 0), spent.get(name)) for name in sorted(made)
    ]


def _proposer(
    name: str, experiments: list[Experiment], refused: int, dollars: float | None
) -> Proposer:
    kept = [e for e in experiments if e.is_kept]
    gains = [e.gain or 0.0 for e in kept]
    errors = [e.standard_error or 0.0 for e in kept]
    return Proposer(
        name=name,
        experiments=len(experiments),
        kept=len(kept),
        refused=refused,
        gain=math.fsum(gains),
        interval=_interval(gains, errors, len(experiments)),
        dollars=dollars,
    )


def _interval(gains: list[float], errors: list[float], count: int) -> Interval | None:
    if len(gains) < LEAST_KEPT or not all(map(math.isfinite, gains + errors)):
        return None
    total = math.fsum(gains)
    mean = total / count
    squares = math.fsum((gain - mean) ** 2 for gain in gains) + (count - len(gains)) * mean**2
    chance = squares * count / (count - 1)
    reach = _QUANTILE * math.sqrt(chance + math.fsum(error**2 for error in errors))
    return Interval(low=total - reach, high=total + reach)
