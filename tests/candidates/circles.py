"""A better candidate for tasks/circles, written by hand: many placements at once, in two passes.

All placements move together as one array, by Adam, while the price of an overlap grows from soft to
hard, so that circles first find their neighbours and then their radii. What is best after the first
pass is shaken a little and moved again, for as long as there is time.
"""

import os
import time

import numpy as np

CIRCLES = 26
TOGETHER = 24
STEPS = 500
SOFT, HARD = 3.0, 3000.0
FAST, SLOW = 2e-2, 2e-4
SHAKE = 0.03
TIME_SHARE = 0.9
MARGIN = 1e-9


def train(data, artifact, seed, seconds):
    end = time.monotonic() + TIME_SHARE * seconds
    rng = np.random.default_rng(seed)
    best = None
    while best is None or time.monotonic() < end:
        if best is None or rng.random() < 0.3:
            start = np.concatenate(
                (rng.uniform(0.05, 0.95, (TOGETHER, CIRCLES, 2)),
                 np.full((TOGETHER, CIRCLES, 1), 0.03)), axis=2)  # fmt: skip
            soft, fast = SOFT, FAST
        else:
            start = np.repeat(best[None], TOGETHER, axis=0)
            start[:, :, :2] += rng.normal(0, SHAKE, (TOGETHER, CIRCLES, 2))
            # One circle goes somewhere else: small ones sit in the wrong gaps.
            moved = rng.integers(CIRCLES, size=TOGETHER)
            start[np.arange(TOGETHER), moved] = np.column_stack(
                (rng.uniform(0.05, 0.95, (TOGETHER, 2)), np.full(TOGETHER, 0.02))
            )
            soft, fast = 10 * SOFT, FAST / 2
        for found in improved(start, soft, fast, end):
            found = repaired(found)
            if best is None or found[:, 2].sum() > best[:, 2].sum():
                best = found
                save(artifact, best)
    print(f"{best[:, 2].sum():.6f}")


def load(artifact):
    circles = np.load(artifact / "circles.npy", allow_pickle=False)
    return lambda question: circles


def improved(circles, soft, fast, end):
    """All placements (n, 26, 3) after `STEPS` steps of Adam, or fewer at the time `end`."""
    mean, square = np.zeros_like(circles), np.zeros_like(circles)
    for number in range(STEPS):
        if number % 50 == 0 and time.monotonic() > end:
            break
        share = number / STEPS
        push = soft * (HARD / soft) ** share
        rate = fast * (SLOW / fast) ** share
        slope = pull(circles, push)
        mean = 0.9 * mean + 0.1 * slope
        square = 0.99 * square + 0.01 * slope**2
        scale = np.sqrt(square / (1 - 0.99 ** (number + 1))) + 1e-9
        circles = circles + rate * mean / (1 - 0.9 ** (number + 1)) / scale
    return circles


def pull(circles, push):
    """Uphill in the sum of radii less `push` times the squared overlaps."""
    centres, radii = circles[..., :2], circles[..., 2]
    apart = centres[:, :, None] - centres[:, None]
    distances = np.sqrt((apart**2).sum(axis=-1)) + 1e-12
    overlaps = np.maximum(radii[:, :, None] + radii[:, None] - distances, 0)
    overlaps[:, np.arange(CIRCLES), np.arange(CIRCLES)] = 0
    low = np.maximum(radii[..., None] - centres, 0)
    high = np.maximum(centres + radii[..., None] - 1, 0)
    away = ((overlaps / distances)[..., None] * apart).sum(axis=2)
    moves = 2 * push * (away + low - high)
    growth = 1 - 2 * push * (overlaps.sum(axis=2) + (low + high).sum(axis=2))
    return np.concatenate((moves, growth[..., None]), axis=2)


def repaired(circles):
    """The same centres with radii so small that nothing overlaps or leaves the square."""
    centres = circles[:, :2].clip(0, 1)
    radii = circles[:, 2].clip(0, np.minimum(centres, 1 - centres).min(axis=1))
    distances = np.sqrt(((centres[:, None] - centres) ** 2).sum(axis=2))
    for first in range(CIRCLES):
        for second in range(first):
            both = radii[first] + radii[second]
            if both > distances[first, second]:
                radii[[first, second]] *= distances[first, second] / both
    return np.column_stack((centres, radii * (1 - MARGIN)))


def save(artifact, circles):
    np.save(artifact / "partial.npy", circles)
    os.replace(artifact / "partial.npy", artifact / "circles.npy")
