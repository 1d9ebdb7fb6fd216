"""A construction that is checked: the score. No agent changes this file.

There are no examples, so the splits are alike, and there is nothing to hide. What counts is that
the check is exact: no tolerance that an answer could live in.
"""

import json
import math
from fractions import Fraction
from itertools import combinations
from pathlib import Path

import numpy as np

from sealed_task import Array, Folders, Predictors, Score

POINTS = 30


def prepare(to: Folders, rng: np.random.Generator) -> None:
    """Write the question; nothing is drawn."""
    for folder in (to.train, to.rehearsal, to.held_out, to.vault):
        (folder / "question.json").write_text(json.dumps({"points": POINTS}) + "\n")


def score(data: Path, predictors: Predictors) -> Score:
    """The smallest distance, one value."""
    question = json.loads((data / "question.json").read_text())
    with predictors.open() as predictor:
        points = predictor.ask(question, Array("f8", (POINTS, 2), 0, 1))
    return Score(np.array([smallest_distance(points)]))


def smallest_distance(points: np.ndarray) -> float:
    """Of points (n, 2). Squares are exact, for a float is a rational number."""
    exact = [(Fraction(float(x)), Fraction(float(y))) for x, y in points]
    return math.sqrt(min((x - u) ** 2 + (y - v) ** 2 for (x, y), (u, v) in combinations(exact, 2)))
