"""The seed noise: by how much the score of one and the same program differs from trial to trial."""

import math
from collections.abc import Iterable, Sequence

from msgspec import Struct

from controller.decision.distributions import chi_squared_quantile, f_below

_OUTSIDE = 0.05
"""The chance that an interval misses what it is of."""
_TOO_STILL = 0.05
"""The chance that a champion as noisy as the others is left out."""
_TOO_NOISY = 0.001
"""The chance that the others are, where they are as noisy as it is."""


class Noise(Struct, frozen=True, kw_only=True):
    """A variance of scores between seeds, and what it is known from."""

    variance: float
    """In the metric's unit, squared."""
    degrees: int
    """Degrees of freedom; 0: nothing is known."""

    @property
    def deviation(self) -> float:
        """The standard deviation, in the metric's unit."""
        return math.sqrt(self.variance)

    def interval(self) -> tuple[float, float]:
        """Of the standard deviation, 95 %, for scores that are spread normally."""
        squares = self.variance * self.degrees
        low = squares / chi_squared_quantile(1 - _OUTSIDE / 2, self.degrees)
        high = squares / chi_squared_quantile(_OUTSIDE / 2, self.degrees)
        return math.sqrt(low), math.sqrt(high)


def seed_noise(champions: Sequence[Sequence[float]]) -> Noise:
    """The seed noise of a run, pooled over its champions' scores; the baseline's come first.

    A champion that is stiller than the noise before it, by more than chance explains, is left out:
    one with a fixed seed would make the noise look like none, and every luck of the next like a
    gain. Those before one that is far noisier are left out for the same reason.
    """
    counted = list(champions[:1])
    noise = pooled(counted)
    for scores in champions[1:]:
        own = pooled([scores])
        ratio = own.variance / noise.variance if noise.variance else math.inf
        below = f_below(ratio, own.degrees, noise.degrees) if own.degrees else 0.0
        if own.variance and below >= 1 - _TOO_NOISY:
            counted = [scores]
        elif below >= _TOO_STILL:
            counted.append(scores)
        noise = pooled(counted)
    return noise


def pooled(groups: Iterable[Sequence[float]]) -> Noise:
    """The noise that several programs share, each with a mean of its own."""
    squares, degrees = 0.0, 0
    for scores in groups:
        mean = math.fsum(scores) / max(1, len(scores))
        squares += math.fsum((score - mean) ** 2 for score in scores)
        degrees += max(0, len(scores) - 1)
    return Noise(variance=squares / max(1, degrees), degrees=degrees)
