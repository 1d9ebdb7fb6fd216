"""The trials of a check: the baseline with several seeds, then answers that know nothing."""

import re
from collections.abc import Callable
from importlib import resources
from itertools import combinations

from msgspec import Struct

from sandbox.api import Comparison, Outcome, TrialResult

BASELINES = 3
"""Trials of the task's own `train.py`, each with a seed of its own."""
KINDS = {
    "constant": ("zeros", "ones", "equal shares"),
    "random": ("random", "random shares"),
    "echo": ("echo",),
}
"""Ways of knowing nothing, and what is tried for each: not every task takes every number."""

STILL = ("constant", "echo")
"""Ways whose answers are the same in every trial: what differs in their scores, the scorer adds."""

Run = Callable[[str, bool], TrialResult]
"""Runs one candidate; True: with the vault."""
Compare = Callable[[TrialResult, TrialResult], Comparison | None]
"""The first trial less the second, example by example; None: they can't be paired."""


class Measured(Struct, frozen=True, kw_only=True):
    """What the trials came to."""

    baseline: list[TrialResult]
    """The first of them with the vault; only that one, if it has no score."""
    trivial: dict[str, dict[str, TrialResult]]
    """By the way of knowing nothing, then by what was tried."""
    again: tuple[str, TrialResult] | None = None
    """The first of `STILL` that has a score, a second time."""
    pairs: list[Comparison] = []
    """Trials of the baseline, each against each, example by example."""
    against: dict[str, Comparison] = {}
    """By what was tried: it less the baseline's first trial, where both have a score."""


def measure(run: Run, compare: Compare, train: str) -> Measured:
    """Run all trials; of a baseline without a score nothing more is asked."""
    baseline = [run(train, True)]
    if baseline[0].outcome is not Outcome.scored:
        return Measured(baseline=baseline, trivial={})
    baseline += [run(train, False) for _ in range(BASELINES - 1)]
    trivial = {
        way: {kind: run(knows_nothing(kind), False) for kind in kinds}
        for way, kinds in KINDS.items()
    }
    scored = [
        kind for way in STILL for kind, trial in trivial[way].items() if trial.score is not None
    ]
    again = (scored[0], run(knows_nothing(scored[0]), False)) if scored else None
    pairs = [compare(*two) for two in combinations(baseline, 2)]
    against = {
        kind: compare(trial, baseline[0])
        for tried in trivial.values()
        for kind, trial in tried.items()
        if trial.score is not None
    }
    return Measured(
        baseline=baseline,
        trivial=trivial,
        again=again,
        pairs=[pair for pair in pairs if pair is not None],
        against={kind: pair for kind, pair in against.items() if pair is not None},
    )


def trials() -> int:
    """How many trials a check takes at most."""
    return BASELINES + sum(len(kinds) for kinds in KINDS.values()) + 1


def knows_nothing(kind: str) -> str:
    """The text of a candidate that answers in this way."""
    text = (resources.files("controller.task_check") / "knows_nothing.py").read_text("utf-8")
    return re.sub(r"^KIND = .*$", f'KIND = "{kind}"', text, flags=re.MULTILINE)
