"""Times questions from inside the scorer: the values are seconds, not scores."""

import time
from pathlib import Path

import numpy as np

from sealed_task import Array, Folders, Predictors, Score

SMALL, ROUNDS = 8, 300
LARGE, TRANSFERS = 1 << 15, 400
"""Elements of float64: 64 bytes; 256 KiB, pipelined."""


def prepare(to: Folders, rng: np.random.Generator) -> None:
    """No data is needed; each split needs a file."""
    for folder in (to.train, to.rehearsal, to.held_out, to.vault):
        (folder / "empty.txt").write_text("nothing\n")


def score(data: Path, predictors: Predictors) -> Score:
    """Seconds of a small round trip (median) and of one large transfer both ways (mean)."""
    small, large = np.zeros(SMALL), np.zeros(LARGE)
    with predictors.open() as predictor:
        trips = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            predictor.ask(small, Array("f8", (SMALL,)))
            trips.append(time.perf_counter() - began)
        began = time.perf_counter()
        predictor.ask_all((large for _ in range(TRANSFERS)), Array("f8", (LARGE,)))
        transfer = (time.perf_counter() - began) / TRANSFERS
    return Score(np.array([np.median(trips), transfer]))
