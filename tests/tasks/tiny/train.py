"""A line by least squares, spoiled by a constant."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

SCALE = 0.5  # search: log 0.25 4.0


def train(data: Path, artifact: Path, seed: int, seconds: float) -> None:
    """Fit the training rows."""
    x = np.load(data / "train" / "x.npy", allow_pickle=False)
    y = np.load(data / "train" / "y.npy", allow_pickle=False)
    weights, *_ = np.linalg.lstsq(np.column_stack((x, np.ones(len(x)))), y, rcond=None)
    np.save(artifact / "partial.npy", weights)
    (artifact / "partial.npy").replace(artifact / "weights.npy")


def load(artifact: Path) -> Callable[[np.ndarray], np.ndarray]:
    """A function from rows (n, 2) to predictions (n,)."""
    weights = np.load(artifact / "weights.npy", allow_pickle=False)
    return lambda x: SCALE * (x @ weights[:2] + weights[2])
