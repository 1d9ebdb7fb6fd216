"""The receipts of a run as a chain: each one signed, in its place, and closed at the end."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from controller.verify.envelope import Broken, Key, read_receipt
from controller.verify.finding import Finding
from sandbox.receipts.statements import (
    ClosingPredicate,
    ComparisonPredicate,
    Predicate,
    TrialPredicate,
    sha256,
)


@dataclass(frozen=True)
class Placed:
    """A trial's receipt: of which experiment, and where in the chain."""

    line: int
    experiment: int
    number: int
    """Of the trial in its experiment, from 1."""
    asked_by: int
    """The experiment in whose course it was run: the newest, for they follow each other."""
    predicate: TrialPredicate


@dataclass
class Chain:
    """What the receipts say whose signatures hold, in their order."""

    length: int
    trials: list[Placed] = field(default_factory=list)
    of: dict[int, list[Placed]] = field(default_factory=lambda: defaultdict(list))
    """The trials of each experiment's candidate."""
    asked: dict[int, list[Placed]] = field(default_factory=lambda: defaultdict(list))
    """The trials that were run in the course of each experiment."""
    compared: dict[str, dict[int, ComparisonPredicate]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    """By the key of a trial on the first side, the comparisons with their lines."""
    closings: list[tuple[int, ClosingPredicate]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    _by_key: dict[str, Placed] = field(default_factory=dict)

    def found(self, line: int | None, problem: str, experiment: int | None = None) -> None:
        """Note what is wrong."""
        self.findings.append(Finding(receipt=line, experiment=experiment, problem=problem))

    def add(self, trial: Placed) -> None:
        """Place the next trial; a key that comes again is another trial of the chain."""
        self.trials.append(trial)
        self.of[trial.experiment].append(trial)
        self.asked[trial.asked_by].append(trial)
        self._by_key.setdefault(trial.predicate.key, trial)

    def trial(self, key: str) -> Placed | None:
        """The receipt of a trial by its key, the first if there are more."""
        return self._by_key.get(key)


def read_chain(lines: Sequence[str], key: Key, run: str) -> Chain:
    """Check every line, and what the lines say of each other."""
    chain = Chain(length=len(lines))
    seen: set[int] = set()
    last: Predicate | None = None
    for line, text in enumerate(lines):
        try:
            statement = read_receipt(text, key)
        except Broken as broken:
            chain.found(line, f"{broken}.")
            seen.add(line)
            last = None
            continue
        last = statement.predicate
        expected = max(seen, default=-1) + 1
        if last.run != run:
            chain.found(line, f"It is a receipt of another run, {last.run}.")
            continue
        if last.number in seen:
            chain.found(line, f"Receipt {last.number} was there before: replayed, or out of order.")
            continue
        if last.number != expected:
            chain.found(line, f"It is receipt {last.number} where {expected} should be.")
        elif last.previous != (sha256(lines[line - 1]) if line else ""):
            chain.found(line, "It does not follow the line before it.")
        seen.add(last.number)
        _place(chain, line, last, run)
    if not lines:
        chain.found(None, "The run has no receipts.")
    elif not isinstance(last, ClosingPredicate):
        chain.found(
            len(lines) - 1,
            "The chain does not end with a closing receipt: receipts were cut off, or the run is "
            "at work or was killed (`sealed run` with its --name goes on, and closes it).",
        )
    _check_closings(chain)
    return chain


def _place(chain: Chain, line: int, predicate: Predicate, run: str) -> None:
    if isinstance(predicate, TrialPredicate):
        key = re.fullmatch(re.escape(run) + r"-(\d{1,9})-(\d{1,9})", predicate.key, re.ASCII)
        if key is None:
            chain.found(line, f"Its trial's key is none of this run's: {predicate.key}.")
        else:
            experiment, newest = int(key[1]), chain.trials[-1].asked_by if chain.trials else 0
            asked_by = max(experiment, newest)
            chain.add(Placed(line, experiment, int(key[2]), asked_by, predicate))
    elif isinstance(predicate, ComparisonPredicate):
        for first in predicate.first:
            chain.compared[first][line] = predicate
    elif isinstance(predicate, ClosingPredicate):
        chain.closings.append((line, predicate))


def _check_closings(chain: Chain) -> None:
    """Closing receipts count the trials before them, and reveal what was committed to."""
    for line, closing in chain.closings:
        before = sum(trial.line < line for trial in chain.trials)
        if closing.trials != before:
            chain.found(line, f"It closes {closing.trials} trials; {before} are before it.")
        for name, openings in (("seed", closing.seeds), ("vault", closing.vaults)):
            for key, opening in openings.items():
                trial = chain.trial(key)
                if trial is None or getattr(trial.predicate, name) != opening.commitment:
                    chain.found(line, f"What it reveals is not the {name} of trial {key}.")
