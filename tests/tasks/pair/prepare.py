"""Opens two predictors and the baseline; the values of its score are what they answered."""

from pathlib import Path

import numpy as np

from sealed_task import Array, Folders, Predictors, Score

NUMBER = Array("f8", ())
VALUES = (
    "first_count", "second_count", "name", "baseline_name", "seconds", "baseline_seconds", "gap"
)  # fmt: skip
"""What each value is: questions that each predictor says it was asked, what candidate and baseline
call themselves, seconds of a slow answer and of a quick one, and the longest time in which the
baseline stood still while the slow one was due."""


def prepare(to: Folders, rng: np.random.Generator) -> None:
    """No data is needed; each split needs a file."""
    for folder in (to.train, to.rehearsal, to.held_out, to.vault):
        (folder / "empty.txt").write_text("nothing\n")


def score(data: Path, predictors: Predictors) -> Score:
    """Seven answers."""
    with predictors.open() as first:
        first_count = [first.ask("count", NUMBER) for _ in range(3)][-1]
    with predictors.open() as second, predictors.open(baseline=True) as baseline:
        second_count = second.ask("count", NUMBER)
        names = second.ask("name", NUMBER), baseline.ask("name", NUMBER)
        _, seconds = second.ask_timed("slow", NUMBER)
        _, baseline_seconds = baseline.ask_timed("count", NUMBER)
        gap = baseline.ask("gap", NUMBER)
    values = [first_count, second_count, *names, seconds, baseline_seconds, gap]
    return Score(np.array(values, dtype=np.float64))
