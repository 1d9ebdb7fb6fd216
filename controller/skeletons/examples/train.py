"""Logistic regression by gradient descent: the file to improve."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

LEARNING_RATE = 0.1  # search: log 1e-3 10.0
STEPS = 200  # search: log int 10 5000
CLASSES = 3


def train(data: Path, artifact: Path, seed: int, seconds: float) -> None:
    """Fit weights, and leave them in `artifact`; what is there when the time is over counts."""
    end = time.monotonic() + 0.8 * seconds
    x = with_one(np.load(data / "train" / "x.npy", allow_pickle=False))
    label = np.load(data / "train" / "label.npy", allow_pickle=False)
    weights = np.zeros((x.shape[1], CLASSES))
    save(artifact, weights)
    for _ in range(STEPS):
        if time.monotonic() > end:
            break
        error = probabilities(x @ weights) - np.eye(CLASSES)[label]
        weights -= LEARNING_RATE * x.T @ error / len(x)
    save(artifact, weights)


def load(artifact: Path) -> Callable[[np.ndarray], np.ndarray]:
    """A function from features (n, 2) to probabilities (n, 3)."""
    weights = np.load(artifact / "weights.npy", allow_pickle=False)
    return lambda x: probabilities(with_one(x) @ weights)


def with_one(x: np.ndarray) -> np.ndarray:
    return np.column_stack((x, np.ones(len(x))))


def probabilities(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def save(artifact: Path, weights: np.ndarray) -> None:
    """Write the weights, and only then put them in the place of those before."""
    np.save(artifact / "partial.npy", weights)
    os.replace(artifact / "partial.npy", artifact / "weights.npy")
