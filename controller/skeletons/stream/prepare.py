"""A stream, asked day by day: the data and the score. No agent changes this file.

Each split is `series.npy`, float64 (days,): a stretch of its own, later than the one before.
"""

from pathlib import Path

import numpy as np

from sealed_task import Array, Folders, Predictors, Score

BLOCK = 20
"""Days that depend on each other, and count as one for the standard error."""


def prepare(to: Folders, rng: np.random.Generator) -> None:
    """Cut the series where `rng` says: a model must not know where a stretch begins."""
    values = series()
    shares = np.cumsum([0.5, 0.1, 0.2]) * len(values)
    cuts = shares.astype(int) + rng.integers(-100, 101, 3)
    stretches = np.split(values, cuts)
    for folder, stretch in zip((to.train, to.rehearsal, to.held_out, to.vault), stretches):
        np.save(folder / "series.npy", stretch, allow_pickle=False)


def series() -> np.ndarray:
    """Your data goes here: float64 (days,), in order of time.

    Made up for now. Nothing in a value may depend on a later one: no scaling by the whole period.
    """
    rng = np.random.default_rng(0)
    values = np.zeros(8000)
    for day in range(2, len(values)):
        values[day] = 1.2 * values[day - 1] - 0.5 * values[day - 2] + 0.3 * rng.normal()
    return values


def score(data: Path, predictors: Predictors) -> Score:
    """Squared error of each forecast; tomorrow does not exist before the answer."""
    values = np.load(data / "series.npy", allow_pickle=False)
    forecasts = np.empty(len(values) - 1)
    with predictors.open() as predictor:
        for day in range(len(forecasts)):
            forecasts[day] = predictor.ask(values[day], Array("f8", (1,), -100, 100))[0]
    return Score((forecasts - values[1:]) ** 2, block=np.arange(len(forecasts)) // BLOCK)
