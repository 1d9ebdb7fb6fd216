"""Noisy points on a plane: `x.npy`, float64 (rows, 2), and `y.npy`, float64 (rows,)."""

from pathlib import Path

import numpy as np

from sealed_task import Array, Folders, Predictors, Score

ROWS = 64
"""Rows a split, all asked in one question."""


def prepare(to: Folders, rng: np.random.Generator) -> None:
    """Draw each split."""
    for folder in (to.train, to.rehearsal, to.held_out, to.vault):
        x = rng.normal(size=(ROWS, 2))
        y = 3 * x[:, 0] - 2 * x[:, 1] + 1 + 0.1 * rng.normal(size=ROWS)
        np.save(folder / "x.npy", x, allow_pickle=False)
        np.save(folder / "y.npy", y, allow_pickle=False)


def score(data: Path, predictors: Predictors) -> Score:
    """Squared error, one value a row."""
    x = np.load(data / "x.npy", allow_pickle=False)
    y = np.load(data / "y.npy", allow_pickle=False)
    with predictors.open() as predictor:
        answer = predictor.ask(x, Array("f8", (len(y),), -1e6, 1e6))
    return Score((answer - y) ** 2)
