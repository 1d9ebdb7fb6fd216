"""Tail probabilities that the standard library lacks: F, Student's t, and chi-squared.

Formulas are numbered as in the NIST Digital Library of Mathematical Functions (dlmf.nist.gov). The
controller has no SciPy, which would be its largest package for three functions;
`tests/unit/test_controller_distributions.py` holds them to SciPy's.
"""

import math
from collections.abc import Callable

_TINY = 1e-300
_PRECISION = 1e-14
_MOST_TERMS = 10_000
_HALVINGS = 60


def t_above(t: float, degrees: float) -> float:
    """The chance that Student's t is above `t`; with infinite degrees it is normal."""
    if math.isinf(t):
        return 0.0 if t > 0 else 1.0
    if math.isinf(degrees):
        return 0.5 * math.erfc(t / math.sqrt(2))
    half = 0.5 * beta_share(degrees / (degrees + t * t), degrees / 2, 0.5)
    return half if t > 0 else 1 - half


def t_quantile(above: float, degrees: float) -> float:
    """The t that is exceeded with this chance, at most 1/2."""
    return _root(lambda t: t_above(t, degrees) < above, 2.0)


def f_below(ratio: float, upper: float, lower: float) -> float:
    """The chance that a ratio of two variances, of so many degrees of freedom, is below `ratio`."""
    if math.isinf(ratio):
        return 1.0
    return beta_share(upper * ratio / (upper * ratio + lower), upper / 2, lower / 2)


def chi_squared_below(x: float, degrees: float) -> float:
    """The chance that chi-squared is below `x`: the incomplete gamma function's series, 8.7.1."""
    if x <= 0:
        return 0.0
    a, half = degrees / 2, x / 2
    term = total = 1 / a
    for n in range(1, _MOST_TERMS):
        term *= half / (a + n)
        total += term
        if term < total * _PRECISION:
            break
    return min(1.0, total * math.exp(a * math.log(half) - half - math.lgamma(a)))


def chi_squared_quantile(below: float, degrees: float) -> float:
    """The x that chi-squared is below with this chance."""
    return _root(lambda x: chi_squared_below(x, degrees) > below, degrees)


def beta_share(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function: 8.17.22, and 8.17.4 where that is slow."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1 - beta_share(1 - x, b, a)
    size = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    front = math.exp(size + a * math.log(x) + b * math.log1p(-x)) / a
    # The continued fraction from its head on, by the modified method of Lentz.
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1) or _TINY)
    fraction = d
    for n in range(2, _MOST_TERMS):
        m = n // 2
        if n % 2 == 0:
            coefficient = m * (b - m) * x / ((a + n - 1) * (a + n))
        else:
            coefficient = -(a + m) * (a + b + m) * x / ((a + n - 1) * (a + n))
        d = 1 / (1 + coefficient * d or _TINY)
        c = 1 + coefficient / c or _TINY
        fraction *= c * d
        if abs(c * d - 1) < _PRECISION:
            break
    return front * fraction


def _root(is_above: Callable[[float], bool], guess: float) -> float:
    """Where a monotone test of a positive number turns true, by halving."""
    low, high = 0.0, guess
    while not is_above(high):
        low, high = high, 2 * high
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if is_above(middle) else (middle, high)
    return high
