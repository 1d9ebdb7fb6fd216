"""The 95 % interval of a difference between two programs that were both trained anew."""

import math
import statistics
from collections.abc import Sequence

from controller.decision.distributions import t_quantile

_OUTSIDE = 0.025
"""Chance on each side of the interval."""


def half_width(standard_error: float, first: Sequence[float], second: Sequence[float]) -> float:
    """Of the interval: Welch's, with the examples' own error beside the seeds'.

    The scores of each side are two at least, in the metric's unit, and so is the result.
    """
    parts = [statistics.variance(scores) / len(scores) for scores in (first, second)]
    variance = standard_error**2 + sum(parts)
    weight = sum(
        part**2 / (len(side) - 1) for part, side in zip(parts, (first, second), strict=True)
    )
    degrees = variance**2 / weight if weight else math.inf
    return t_quantile(_OUTSIDE, degrees) * math.sqrt(variance)
