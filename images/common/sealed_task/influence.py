"""Scores that are no plain mean, as values whose mean they are: value plus influence term.

A ratio of two means has no value of a single example. But each example moves it a little, and to
first order by an amount that can be written down, its influence (Hampel, "The influence curve and
its role in robust estimation", 1974): for a function g of means of x, at mean m,

    value of an example = g(m) + (x - m) · gradient of g at m

The second terms sum to zero, so the values' mean is the statistic itself, exactly; and their
standard error is that of the statistic by the delta method (van der Vaart, "Asymptotic
Statistics", 1998, chapter 3). So one paired test, with its blocks, serves means and ratios alike.

These compose by the chain rule. What is made of values may be put into the next function:

    sharpe_ratio = ratio_values(returns, spread_values(returns))
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def ratio_values(numerators: Floats, denominators: Floats) -> Floats:
    """Values whose mean is `numerators.mean() / denominators.mean()`; all of shape (examples,).

    The linearised ratio estimator (Cochran, "Sampling Techniques", 1977, section 6.3). Raises
    `ValueError` if the denominators' mean is 0.
    """
    denominator = denominators.mean()
    if denominator == 0:
        raise ValueError("a ratio to a mean of 0 has no values")
    ratio = numerators.mean() / denominator
    return np.asarray(ratio + (numerators - ratio * denominators) / denominator)


def spread_values(values: Floats) -> Floats:
    """Values whose mean is `values.std()`, the root of the mean squared deviation, likewise.

    The deviations are from the mean, which costs nothing to first order: the sum of squares is
    least there. Zeros, if all values are the same: there is no slope at 0.
    """
    squares = (values - values.mean()) ** 2
    spread = np.sqrt(squares.mean())
    if spread == 0:
        return np.zeros(values.shape)
    return np.asarray(spread + (squares - spread**2) / (2 * spread))
