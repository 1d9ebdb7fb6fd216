"""What `prepare` is given, what `score` returns, and how a scorer refuses."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MOST_EXAMPLES = 10_000_000
"""The most values one score may have."""


class Invalid(Exception):
    """An answer is wrong in form: the candidate's trial ends `invalid`."""


class Dishonest(Exception):
    """An audit failed: the candidate's trial ends `dishonest`."""


@dataclass(frozen=True)
class Folders:
    """The four splits that `prepare` fills, each an empty folder of its own.

    The trainer reads `train` and `rehearsal`; only the scorer reads `held_out` and `vault`.
    """

    train: Path
    rehearsal: Path
    held_out: Path
    vault: Path


@dataclass(frozen=True)
class Score:
    """The score of one split: **the mean of `values`**.

    values  float64, shape (examples,): one value an example, in a fixed order, so that two
            trials can be compared example by example. For a ratio: value plus influence term.
    block   optional, int64, shape (examples,): equal numbers mark neighbours that depend on
            each other; the standard error then counts blocks, not examples.
    slices  optional, name to bool, shape (examples,): parts that must not get worse.

    Raises `Invalid` if a value is NaN or infinite, and `ValueError` if a shape does not fit.
    """

    values: NDArray[np.float64]
    block: NDArray[np.int64] | None = None
    slices: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        values = np.ascontiguousarray(self.values, dtype=np.float64)
        if values.ndim != 1 or not 1 <= values.size <= MOST_EXAMPLES:
            raise ValueError(
                f"Score.values has shape {values.shape}; it needs one dimension "
                f"of 1 to {MOST_EXAMPLES} values"
            )
        if not np.isfinite(values).all():
            raise Invalid("a value of the score is NaN or infinite")
        object.__setattr__(self, "values", values)
        if self.block is not None:
            block = np.ascontiguousarray(self.block, dtype=np.int64)
            if block.shape != values.shape:
                raise ValueError(f"Score.block has shape {block.shape}, values {values.shape}")
            object.__setattr__(self, "block", block)
        slices = {
            str(name): np.ascontiguousarray(mask, dtype=np.bool_)
            for name, mask in self.slices.items()
        }
        for name, mask in slices.items():
            if mask.shape != values.shape:
                raise ValueError(f"slice {name!r} has shape {mask.shape}, values {values.shape}")
        object.__setattr__(self, "slices", slices)
