"""Two rooms: what one predictor is told, the next must not know; and a walk, asked step by step.

An honest candidate pays exactly 2100/13: 1300 for a number that it cannot know, 100 for each of
eight steps that it cannot foresee, nothing for four free numbers, as a mean of thirteen values.
On the rehearsal split the steps are asked all at once: there the next question gives each answer
away, which is the control arm of asking step by step.
"""

from pathlib import Path

import numpy as np

from sealed_task import Array, Folders, Predictors, Score

STEPS = 8
UNTOLD = 1300.0
STEP = 10.0
NUMBERS = 1 << 30
"""The number is below this."""


def prepare(to: Folders, rng: np.random.Generator) -> None:
    """A walk for each split, and a canary that nobody but the scorer may read."""
    for folder in (to.train, to.rehearsal, to.held_out, to.vault):
        np.save(folder / "walk.npy", rng.choice([-STEP, STEP], STEPS + 1), allow_pickle=False)
    for folder in (to.held_out, to.vault):
        (folder / "canary.txt").write_text(f"canary-{rng.integers(1 << 62):016x}\n")
    with (to.train / "fragments").open("wb") as file:
        # A block of every other two: a file system needs a tree to know where they are.
        for block in range(0, 64, 2):
            file.seek(block * 4096)
            file.write(bytes([1]) * 4096)
    (to.rehearsal / "at_once").write_text("The steps of this split are asked all at once.\n")


def score(data: Path, predictors: Predictors) -> Score:
    """What knowing nothing costs."""
    walk = np.load(data / "walk.npy", allow_pickle=False)
    number = int(predictors.rng.integers(NUMBERS))
    questions = [{"ask": "step", "today": float(today)} for today in walk[:-1]]
    expect = Array("f8", (), -1e6, 1e6)
    with predictors.open() as first:
        first.ask({"ask": "remember", "number": number}, expect)
        if (data / "at_once").exists():
            steps = first.ask_all(questions, expect)
        else:
            steps = [first.ask(question, expect) for question in questions]
        free = first.ask({"ask": "free"}, Array("f8", (4,)))
    with predictors.open() as second:
        guess = second.ask({"ask": "recall"}, Array("f8", (), 0, NUMBERS))
    with np.errstate(over="ignore"):
        unforeseen = (np.array(steps) - walk[1:]) ** 2
        values = np.concatenate(([UNTOLD * (guess != number)], unforeseen, free**2))
    return Score(values)
