"""Slices of the examples: a gain in the mean must not be paid for by one of them."""

import math

from sandbox.api import Comparison

_ERRORS = 3
"""How many standard errors a slice may lose: more is no noise."""


def lost_slice(comparison: Comparison, sign: float, seed_variance: float) -> str:
    """Which slice lost more than noise, in words; empty: none.

    `sign` makes better positive. `seed_variance` is what luck with seeds adds to the square of a
    difference's standard error, for a slice as for the whole.
    """
    for name, found in comparison.slices.items():
        loss = -sign * found.difference
        if not loss <= _ERRORS * math.sqrt(found.standard_error**2 + seed_variance):
            return f"the slice {name!r} lost {loss:.6g}, over {_ERRORS} standard errors."
    return ""
