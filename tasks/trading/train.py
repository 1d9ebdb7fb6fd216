"""Follows the trend of two stock indices: the file to improve.

What an index has gained lately, in ordinary days of its own, is how much of it is held the next
day. Only the size of an ordinary day is learnt. The layout of the data is told in `prepare.py`.
"""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

DAYS = 60.0  # search: log 1.0 250.0
STRENGTH = 0.5  # search: -10.0 10.0
TILT = 0.5  # search: -1.0 1.0
PACE = 1.0  # search: log 0.01 1.0

CLOSE = 2


def train(data: Path, artifact: Path, seed: int, seconds: float) -> None:
    """Measure an ordinary day of each index and leave it in `artifact`."""
    closes = np.load(data / "train" / "moves.npy", allow_pickle=False)[:, :, CLOSE]
    ordinary = closes.std(axis=0)
    np.save(artifact / "partial.npy", ordinary)
    os.replace(artifact / "partial.npy", artifact / "ordinary.npy")
    print(f"an ordinary day moves the indices by {ordinary.round(4)}")


def load(artifact: Path) -> Callable[[np.ndarray], np.ndarray]:
    """A function from a day's moves (2, 3) to the positions until the next close (2,)."""
    ordinary = np.load(artifact / "ordinary.npy", allow_pickle=False)
    trend, position = np.zeros(2), np.zeros(2)

    def answer(today: np.ndarray) -> np.ndarray:
        """Asked once a day, in order; what it remembers begins with the first question."""
        trend[:] += (today[:, CLOSE] / ordinary - trend) / DAYS
        # The average of n days moves by 1 / sqrt(2n) of an ordinary day when there is no trend.
        wanted = TILT + STRENGTH * trend * np.sqrt(2 * DAYS)
        position[:] += PACE * (wanted.clip(-1, 1) - position)
        return position.copy()

    return answer
