"""Circles in a square: the score. No agent changes this file, and there is nothing to hide in it.

The splits are alike, for there are no examples: each says how many circles are to be placed.
"""

import json
from fractions import Fraction
from itertools import combinations
from pathlib import Path

import numpy as np

from sealed_task import Array, Folders, Invalid, Predictors, Score

CIRCLES = 26


def prepare(to: Folders, rng: np.random.Generator) -> None:
    """Write the question; nothing is drawn."""
    for folder in (to.train, to.rehearsal, to.held_out, to.vault):
        (folder / "question.json").write_text(json.dumps({"circles": CIRCLES}) + "\n")


def score(data: Path, predictors: Predictors) -> Score:
    """The sum of the radii, one value, of a placement that is right to the last bit."""
    question = json.loads((data / "question.json").read_text())
    with predictors.open() as predictor:
        circles = predictor.ask(question, Array("f8", (CIRCLES, 3), 0, 1))
    return Score(np.array([float(sum_of_radii(circles))]))


def sum_of_radii(circles: np.ndarray) -> Fraction:
    """Exact, of circles (n, 3): x, y, radius. Raises `Invalid` for the first that is wrong.

    A float is a rational number, so every condition is decided without rounding.
    """
    exact = [tuple(Fraction(float(value)) for value in circle) for circle in circles]
    for number, (x, y, radius) in enumerate(exact):
        if min(x, y) < radius or max(x, y) + radius > 1:
            raise Invalid(f"circle {number} is not inside the square")
    for (first, (x, y, radius)), (second, (u, v, other)) in combinations(enumerate(exact), 2):
        if (x - u) ** 2 + (y - v) ** 2 < (radius + other) ** 2:
            raise Invalid(f"circles {first} and {second} overlap")
    return sum((radius for _, _, radius in exact), Fraction(0))
