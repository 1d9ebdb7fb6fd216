"""Answers with the question."""

from collections.abc import Callable
from pathlib import Path

import numpy as np


def train(data: Path, artifact: Path, seed: int, seconds: float) -> None:
    """Nothing to learn."""


def load(artifact: Path) -> Callable[[np.ndarray], np.ndarray]:
    """The identity."""
    return lambda question: question
