"""Tomorrow is today and a share of the last step: the file to improve."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

SHRINK = 0.5  # search: 0.0 1.0


def train(data: Path, artifact: Path, seed: int, seconds: float) -> None:
    """Find the share by least squares, and leave it in `artifact`."""
    steps = np.diff(np.load(data / "train" / "series.npy", allow_pickle=False))
    share = steps[:-1] @ steps[1:] / (steps[:-1] @ steps[:-1])
    np.save(artifact / "partial.npy", SHRINK * share)
    os.replace(artifact / "partial.npy", artifact / "share.npy")


def load(artifact: Path) -> Callable[[float], np.ndarray]:
    """A function from today's value to a forecast of tomorrow's, float64 (1,)."""
    share = float(np.load(artifact / "share.npy", allow_pickle=False))
    yesterday = None

    def answer(today: float) -> np.ndarray:
        nonlocal yesterday
        step = 0.0 if yesterday is None else today - yesterday
        yesterday = today
        return np.array([today + share * step])

    return answer
