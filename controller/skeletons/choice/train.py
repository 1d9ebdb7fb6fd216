"""The offer that earned most in the log, for everybody: the file to improve."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

OFFERS = 3


def train(data: Path, artifact: Path, seed: int, seconds: float) -> None:
    """Weigh each reward by how unlikely its offer was, and leave the means in `artifact`."""
    log = {
        name: np.load(data / "train" / f"{name}.npy", allow_pickle=False)
        for name in ("offer", "chance", "reward")
    }
    weighted = np.bincount(log["offer"], log["reward"] / log["chance"], OFFERS)
    np.save(artifact / "partial.npy", weighted / len(log["offer"]))
    os.replace(artifact / "partial.npy", artifact / "means.npy")


def load(artifact: Path) -> Callable[[np.ndarray], np.ndarray]:
    """A function from contexts (n, 4) to chances (n, 3)."""
    means = np.load(artifact / "means.npy", allow_pickle=False)
    best = np.eye(OFFERS)[means.argmax()]
    return lambda context: np.tile(best, (len(context), 1))
