"""The tail probabilities that decisions rest on, held to SciPy's."""

import itertools
import math

import pytest
from scipy import stats

from controller.decision.distributions import (
    chi_squared_below,
    chi_squared_quantile,
    f_below,
    t_above,
    t_quantile,
)

DEGREES = (1, 2, 4, 6.5, 7, 12, 33.3, 100, 1e4)


@pytest.mark.parametrize(
    ("t", "degrees"), list(itertools.product((-40.0, -1.0, 0.0, 0.3, 3.7, 12.0, 1e6), DEGREES))
)
def test_students_t(t: float, degrees: float) -> None:
    """Far out in the tail too, where the levels of a look are."""
    expected = stats.t.sf(t, degrees)
    assert t_above(t, degrees) == pytest.approx(expected, rel=1e-9, abs=1e-250)


@pytest.mark.parametrize(
    ("above", "degrees"), list(itertools.product((0.4, 0.025, 1e-4, 1e-7), DEGREES[1:]))
)
def test_quantiles_of_t(above: float, degrees: float) -> None:
    """The inverse of the tail."""
    assert t_quantile(above, degrees) == pytest.approx(stats.t.isf(above, degrees), rel=1e-9)


def test_a_gain_without_noise_is_beyond_every_tail() -> None:
    """A scorer with a single value and a deterministic training has no error at all."""
    assert (t_above(math.inf, 4), t_above(-math.inf, 4)) == (0, 1)


@pytest.mark.parametrize(
    ("ratio", "upper", "lower"),
    list(itertools.product((0.0, 1e-9, 0.05, 0.7, 1.0, 9.0, 1e8), (2, 4, 7), (4, 9, 200))),
)
def test_the_ratio_of_two_variances(ratio: float, upper: float, lower: float) -> None:
    """F, by which a candidate is too still."""
    expected = stats.f.cdf(ratio, upper, lower)
    assert f_below(ratio, upper, lower) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("x", "degrees"),
    list(itertools.product((0.0, 0.01, 0.7, 4.0, 30.0, 400.0), (1, 2, 4, 7.5, 60))),
)
def test_chi_squared(x: float, degrees: float) -> None:
    """By which the interval of the noise floor is made."""
    expected = stats.chi2.cdf(x, degrees)
    assert chi_squared_below(x, degrees) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("below", "degrees"), list(itertools.product((0.025, 0.5, 0.975), (1, 4, 60)))
)
def test_quantiles_of_chi_squared(below: float, degrees: float) -> None:
    """The inverse of the share below."""
    expected = stats.chi2.ppf(below, degrees)
    assert chi_squared_quantile(below, degrees) == pytest.approx(expected, rel=1e-9)
