"""sealed_task.influence: values whose mean is a statistic, and whose spread is its error."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sealed_task import ratio_values, spread_values

Floats = NDArray[np.float64]
EXAMPLES = 400


def sharpe(returns: Floats) -> float:
    return float(returns.mean() / returns.std())


def sharpe_values(returns: Floats) -> Floats:
    return ratio_values(returns, spread_values(returns))


def skewed(seed: int) -> Floats:
    """Returns with a mean and with heavy tails, shape (examples,)."""
    rng = np.random.default_rng(seed)
    return 0.1 + rng.standard_t(8, EXAMPLES) + 0.2 * rng.exponential(size=EXAMPLES)


def error(values: Floats) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values)))


@given(st.integers(0, 2**32 - 1), st.floats(-3, 3), st.floats(0.5, 20))
def test_the_mean_is_the_statistic(seed: int, shift: float, scale: float) -> None:
    """Of a ratio, a spread, and what is made of both; up to rounding."""
    rng = np.random.default_rng(seed)
    above, below = rng.normal(shift, scale, (2, 50))
    below = 1 + np.abs(below)
    assert ratio_values(above, below).mean() == pytest.approx(above.mean() / below.mean())
    assert spread_values(above).mean() == pytest.approx(above.std())
    assert sharpe_values(above).mean() == pytest.approx(sharpe(above))


@pytest.mark.parametrize("statistic", ["ratio", "spread", "sharpe"])
def test_the_error_is_that_of_a_bootstrap(statistic: str) -> None:
    """Examples drawn again with replacement spread the statistic as its values say."""
    returns, weights = skewed(1), 1 + np.random.default_rng(2).exponential(size=EXAMPLES)
    naive: dict[str, Callable[[NDArray[np.int64]], float]] = {
        "ratio": lambda rows: float(returns[rows].mean() / weights[rows].mean()),
        "spread": lambda rows: float(returns[rows].std()),
        "sharpe": lambda rows: sharpe(returns[rows]),
    }
    values = {
        "ratio": ratio_values(returns, weights),
        "spread": spread_values(returns),
        "sharpe": sharpe_values(returns),
    }
    rng = np.random.default_rng(3)
    drawn = [naive[statistic](rng.integers(0, EXAMPLES, EXAMPLES)) for _ in range(4000)]
    assert error(values[statistic]) == pytest.approx(np.std(drawn), rel=0.05)


def test_a_value_says_what_its_example_does() -> None:
    """Leave one out, and the statistic moves as that example's value says (the jackknife)."""
    returns = skewed(4)
    values = sharpe_values(returns)
    without = np.array([sharpe(np.delete(returns, row)) for row in range(EXAMPLES)])
    pseudo = EXAMPLES * sharpe(returns) - (EXAMPLES - 1) * without
    assert np.abs(pseudo - values).max() < 0.05 * np.ptp(values)
    assert np.corrcoef(pseudo, values)[0, 1] > 0.999


def test_blocks_give_the_error_of_dependent_examples() -> None:
    """Ten copies of each example are no news: sums of blocks say so, single values do not."""
    values = sharpe_values(np.repeat(skewed(5)[:40], 10))
    sums = (values - values.mean()).reshape(40, 10).sum(axis=1)
    honest = np.sqrt((sums**2).sum() * 40 / 39) / 400
    assert honest == pytest.approx(error(sharpe_values(skewed(5)[:40])))
    assert honest > 3 * error(values)


def test_no_spread_and_no_ratio() -> None:
    """Equal values have the spread 0, each of them; a ratio to 0 is refused, never infinite."""
    assert spread_values(np.ones(5)).tolist() == [0] * 5
    with pytest.raises(ValueError, match="a ratio to a mean of 0"):
        ratio_values(np.ones(2), np.array([1.0, -1.0]))
