"""A scorer whose end the answer decides: above zero a score, below it `Dishonest`, zero a bug."""

from pathlib import Path

import numpy as np

from sealed_task import Array, Dishonest, Folders, Predictors, Score


def prepare(to: Folders, rng: np.random.Generator) -> None:
    """One secret label a split."""
    for folder in (to.train, to.rehearsal, to.held_out, to.vault):
        np.save(folder / "label.npy", rng.random(1), allow_pickle=False)


def score(data: Path, predictors: Predictors) -> Score:
    """The answer itself; the question is the name of the split."""
    label = float(np.load(data / "label.npy", allow_pickle=False)[0])
    with predictors.open() as predictor:
        answer = float(predictor.ask(data.name, Array("f8", ())))
    if answer < 0:
        raise Dishonest(f"the audit of {data.name} found label {label}")
    if answer == 0:
        raise ZeroDivisionError(f"label {label} of {data.name} over zero")
    return Score(np.array([answer]))
