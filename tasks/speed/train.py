"""Edit distances of pairs of texts, by the table that every textbook has: the file to improve.

Row by row, each cell is the cheapest of its three neighbours and what leads from there.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

CELL = "min"  # search: choice min if
TRIM = "no"  # search: choice no yes


def train(data: Path, artifact: Path, seed: int, seconds: float) -> None:
    """Nothing is learned; tables that `load` needs could be made here."""


def load(artifact: Path) -> Callable[[list[list[str]]], np.ndarray]:
    """A function from pairs of texts to their edit distances, int32 (pairs,)."""
    distance = distance_by_min if CELL == "min" else distance_by_if

    def answer(pairs: list[list[str]]) -> np.ndarray:
        found = [distance(*trimmed(*pair)) for pair in pairs]
        return np.array(found, dtype=np.int32)

    return answer


def trimmed(first: str, second: str) -> tuple[str, str]:
    """Both texts without the beginning and the end that they share, if TRIM says so."""
    if TRIM == "no":
        return first, second
    start, most = 0, min(len(first), len(second))
    while start < most and first[start] == second[start]:
        start += 1
    end = 0
    while end < most - start and first[-1 - end] == second[-1 - end]:
        end += 1
    return first[start : len(first) - end], second[start : len(second) - end]


def distance_by_min(first: str, second: str) -> int:
    """Insertions, deletions and replacements that lead from one text to the other."""
    above = list(range(len(second) + 1))
    for row, letter in enumerate(first, 1):
        here = [row]
        for column, other in enumerate(second, 1):
            change = above[column - 1] + (letter != other)
            here.append(min(above[column] + 1, here[column - 1] + 1, change))
        above = here
    return above[-1]


def distance_by_if(first: str, second: str) -> int:
    """The same, with comparisons in the place of `min`."""
    above = list(range(len(second) + 1))
    for row, letter in enumerate(first, 1):
        left, diagonal = row, row - 1
        here = [row]
        for other, over in zip(second, above[1:]):
            best = diagonal if letter == other else diagonal + 1
            if over < best:
                best = over + 1
            if left < best:
                best = left + 1
            diagonal, left = over, best
            here.append(best)
        above = here
    return above[-1]
