"""Places 26 circles in the unit square: the file to improve.

They begin as small ones near a grid. Then each grows at the same pace, and pushes what it overlaps
and what it leaves the square by; centres and radii follow the sum of both. In the end radii are
shrunk until every condition holds. That is done again from other beginnings until the time is over,
and the best placement stays.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

STEPS = 1000  # search: log int 100 30000
STEP = 1e-3  # search: log 1e-4 3e-2
PUSH = 20.0  # search: log 1.0 1000.0
COLUMNS = 5  # search: int 4 8
SPREAD = 0.05  # search: 0.0 0.3
FIRST_RADIUS = 0.05  # search: log 0.01 0.12

CIRCLES = 26
TIME_SHARE = 0.9
"""Part of the budget that is searched in."""
MARGIN = 1e-9
"""Part of each radius that is given up, so that rounding breaks no condition."""


def train(data: Path, artifact: Path, seed: int, seconds: float) -> None:
    """Search placements until the time is over, and leave the best one in `artifact`."""
    start = time.monotonic()
    end = start + TIME_SHARE * seconds
    rng = np.random.default_rng(seed)
    best, tries = 0.0, 0
    while time.monotonic() < end:
        found = placement(rng, end)
        tries += 1
        if found[:, 2].sum() > best:
            best = found[:, 2].sum()
            save(artifact, found)
    print(f"{best:.6f}, {tries} tries in {time.monotonic() - start:.2f} s")


def load(artifact: Path) -> Callable[[object], np.ndarray]:
    """A function from any question to the circles, float64 (26, 3): x, y, radius."""
    circles = np.load(artifact / "circles.npy", allow_pickle=False)
    return lambda question: circles


def placement(rng: np.random.Generator, end: float) -> np.ndarray:
    """One valid placement, from a beginning of its own; no more steps after the time `end`."""
    circles = first_placement(rng)
    for number in range(STEPS):
        if time.monotonic() > end:
            break
        circles = circles + STEP * (1 - number / STEPS) * pull(circles)
    return repaired(circles)


def first_placement(rng: np.random.Generator) -> np.ndarray:
    """Small circles near some places of a grid that has enough of them."""
    rows = -(-CIRCLES // COLUMNS)
    grid = [((c + 0.5) / COLUMNS, (r + 0.5) / rows) for r in range(rows) for c in range(COLUMNS)]
    chosen = np.sort(rng.permutation(len(grid))[:CIRCLES])
    centres = np.array(grid)[chosen] + rng.normal(0, SPREAD, (CIRCLES, 2))
    return np.column_stack((centres.clip(0.02, 0.98), np.full(CIRCLES, FIRST_RADIUS)))


def pull(circles: np.ndarray) -> np.ndarray:
    """Where each circle wants to go, (26, 3): uphill in the sum of radii less squared overlaps."""
    centres, radii = circles[:, :2], circles[:, 2]
    apart, distances = between(centres)
    overlaps = np.maximum(radii[:, None] + radii - distances, 0)
    np.fill_diagonal(overlaps, 0)
    low = np.maximum(radii[:, None] - centres, 0)
    high = np.maximum(centres + radii[:, None] - 1, 0)
    away = (overlaps / distances)[:, :, None] * apart
    moves = 2 * PUSH * (away.sum(axis=1) + low - high)
    growth = 1 - 2 * PUSH * (overlaps.sum(axis=1) + (low + high).sum(axis=1))
    return np.column_stack((moves, growth))


def between(centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """From each centre to each, (26, 26, 2), and how far, (26, 26), with a 1 for itself."""
    apart = centres[:, None] - centres
    distances = np.sqrt((apart**2).sum(axis=2))
    np.fill_diagonal(distances, 1)
    return apart, np.maximum(distances, 1e-12)


def repaired(circles: np.ndarray) -> np.ndarray:
    """The same centres with radii so small that nothing overlaps or leaves the square."""
    centres = circles[:, :2].clip(0, 1)
    radii = circles[:, 2].clip(0, np.minimum(centres, 1 - centres).min(axis=1))
    _, distances = between(centres)
    np.fill_diagonal(distances, np.inf)
    for first in range(CIRCLES):
        for second in range(first):
            both = radii[first] + radii[second]
            if both > distances[first, second]:
                radii[[first, second]] *= distances[first, second] / both
    return np.column_stack((centres, radii * (1 - MARGIN)))


def save(artifact: Path, circles: np.ndarray) -> None:
    """Write the placement, and only then put it in the place of the one before."""
    np.save(artifact / "partial.npy", circles)
    os.replace(artifact / "partial.npy", artifact / "circles.npy")
