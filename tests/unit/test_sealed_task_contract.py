"""What `score` may return."""

from typing import Any

import numpy as np
import pytest

from sealed_task import Invalid, Score


def test_a_score_keeps_its_parts_in_fixed_types() -> None:
    """Values become float64, blocks int64 and slices bool, each with one entry an example."""
    score = Score(
        np.array([1, 2, 3], dtype="i4"),
        block=np.array([0, 0, 1], dtype="u1"),
        slices={"long": np.array([1, 0, 0])},
    )
    assert score.values.dtype == np.float64
    assert score.block is not None
    assert score.block.dtype == np.int64
    assert score.slices["long"].dtype == np.bool_
    assert score.values.mean() == 2


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_no_number_is_the_candidates_fault(bad: float) -> None:
    """NaN and infinity are never a score: the trial ends `invalid`."""
    with pytest.raises(Invalid, match="NaN or infinite"):
        Score(np.array([1.0, bad, 2.0]))


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"values": np.zeros(0)}, "one dimension"),
        ({"values": np.zeros((2, 2))}, "one dimension"),
        ({"values": np.zeros(2), "block": np.zeros(3, dtype=int)}, "block"),
        ({"values": np.zeros(2), "slices": {"a": np.zeros(3, dtype=bool)}}, "slice 'a'"),
    ],
    ids=["no example", "two dimensions", "block", "slice"],
)
def test_shapes_that_do_not_fit_are_the_scorers_fault(parts: Any, reason: str) -> None:
    """A scorer with a bug gets a `ValueError` that names the part, not a wrong score."""
    with pytest.raises(ValueError, match=reason):
        Score(**parts)
