"""Worlds of candidates: what each is truly worth, and how it tries to look better.

The unit is σ, the seed noise of an honest program. Higher is better.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
from msgspec import Struct
from numpy.random import Generator


class Program(Struct, frozen=True, kw_only=True):
    """A program as nature knows it. A trial's score is its fields' sum, with `spread` · normal."""

    worth: float = 0.0
    """Its true score, over all examples that there could be and over all seeds."""
    fluke: float = 0.0
    """How the held-out examples flatter it: the same in every trial."""
    fluke_variance: float = 0.0
    """What that was drawn with."""
    frozen: float = 0.0
    """Luck with a seed that it has fixed: the same in every trial."""
    spread: float = 1.0
    """Standard deviation of a trial around all that."""
    steps: int = 0
    """How many small changes made it from the baseline; 0: it was written anew."""


class History(Struct, kw_only=True):
    """What an agent goes by."""

    rng: Generator
    error: float
    """Standard error of a paired comparison of two programs, by their examples."""
    baseline: Program
    last: Program | None = None
    best: Program | None = None
    """What looked best so far in its first trial, kept or not."""


World = Callable[[History], Program]
"""Proposes the next candidate."""


def written(
    seen: History, *, worth: float = 0.0, frozen: float = 0.0, spread: float = 1.0
) -> Program:
    """A program written anew; `frozen` is how much luck its fixed seed may have."""
    variance = seen.error**2 / 2
    return Program(
        worth=worth,
        fluke=seen.rng.normal(0, np.sqrt(variance)),
        fluke_variance=variance,
        frozen=seen.rng.normal(0, frozen) if frozen else 0.0,
        spread=spread,
    )


def half_still(spread: float) -> World:
    """Worth nothing; a seed is fixed, and of a trial's luck only `spread` stays free."""
    return partial(written, frozen=float(np.sqrt(1 - spread**2)), spread=spread)


def after_a_still_champion(seen: History) -> Program:
    """One real gain with a fixed seed; then programs as good, each with another fixed seed."""
    return written(seen, worth=10.0, frozen=1.0, spread=0.0)


def honest_after_a_still_champion(seen: History) -> Program:
    """The same gain; then programs as good that fix nothing."""
    still = seen.last is None
    return written(seen, worth=10.0, frozen=float(still), spread=float(not still))


def resubmitted(seen: History) -> Program:
    """Optional stopping: one program with ever new comments, for as long as it takes."""
    return seen.last or written(seen)


def pushing(seen: History) -> Program:
    """Many small steps: each is made from what looked best so far, kept or not."""
    start, variance = seen.best or seen.baseline, seen.error**2 / 50
    return Program(
        fluke=start.fluke + seen.rng.normal(0, np.sqrt(variance)),
        fluke_variance=start.fluke_variance + variance,
        steps=start.steps + 1,
    )


def paired_error(first: Program, second: Program) -> float:
    """The standard error that the sandbox gives for a comparison of two programs."""
    if first.steps or second.steps:  # they share what they were made from
        return float(np.sqrt(abs(first.fluke_variance - second.fluke_variance)))
    return float(np.sqrt(first.fluke_variance + second.fluke_variance))
