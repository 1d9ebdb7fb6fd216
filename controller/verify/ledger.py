"""The ledger against the receipts: every trial has one, and both say the same."""

import math
from collections.abc import Iterator

from controller.ledger import Ledger, RunRow, TrialRecord, candidate_hash
from controller.runs import with_train
from controller.verify.chain import Chain, Placed
from controller.verify.finding import Finding
from sandbox.api import task_hash
from sandbox.receipts.statements import sha256

_SAME = (
    "outcome",
    "score",
    "rehearsal_score",
    "seconds",
    "wall_seconds",
    "peak_memory_bytes",
    "examples",
    "device",
    "attempts",
)
"""What a trial's row and its receipt both have."""


def check_ledger(ledger: Ledger, row: RunRow, chain: Chain) -> Iterator[Finding]:
    """What the ledger says otherwise than the receipts, or without one."""
    candidates = ledger.candidates()
    if task_hash(with_train(row, candidates.get(0, ""))) != row.task_hash:
        yield Finding(problem="The ledger's files are not those of the task that it names.")
    yield from _check_trials(row, chain, {found.finding for found in ledger.accepted()})
    rows = {trial.key: trial for trial in ledger.trial_records()}
    for placed in chain.trials:
        trial = rows.get(placed.predicate.key)
        if trial is None or trial.outcome is None:
            yield _at(placed, "The ledger does not have its trial.")
        else:
            for problem in _differences(trial, placed, candidates.get(placed.experiment, "")):
                yield _at(placed, problem)
    for trial in rows.values():
        if trial.outcome is not None and chain.trial(trial.key) is None:
            yield Finding(
                experiment=trial.experiment, problem=f"Trial {trial.number} has no receipt."
            )
    for experiment in ledger.experiments():
        if experiment.candidate_hash != candidate_hash(candidates[experiment.number]):
            yield Finding(
                experiment=experiment.number, problem="The candidate is not what its hash says."
            )


def _check_trials(row: RunRow, chain: Chain, accepted: set[str]) -> Iterator[Finding]:
    """All trials of a run are of one task, with its settings, on the same data."""
    for placed in chain.trials:
        trial = placed.predicate
        if trial.task != row.task_hash:
            yield _at(placed, f"It is a receipt of another task, {trial.task[:12]}.")
        elif trial.settings != row.settings:
            yield _at(placed, "The task's settings were other ones than the ledger has.")
        if trial.data != chain.trials[0].predicate.data:
            yield _at(placed, "It was scored on other data than the first trial.")
        if unknown := sorted(set(trial.accepted) - accepted):
            yield _at(placed, f"The ledger does not say that {', '.join(unknown)} was accepted.")


def _differences(trial: TrialRecord, placed: Placed, candidate: str) -> Iterator[str]:
    receipt = placed.predicate
    if (trial.experiment, trial.number) != (placed.experiment, placed.number):
        yield "The ledger has its trial in another experiment."
    if trial.asked_by != placed.asked_by:
        yield f"The ledger says that experiment {trial.asked_by} asked for it."
    if candidate_hash(candidate) != receipt.candidate:
        yield "The ledger has another candidate than the one that was run."
    for name in _SAME:
        here, there = _finite(getattr(trial, name)), _finite(getattr(receipt, name))
        if here != there:
            yield f"The ledger says {name} = {here}, the receipt {there}."
    for name in ("log", "reason"):
        if sha256(getattr(trial, name) or "") != getattr(receipt, name):
            yield f"The ledger has another {name} than the trial had."


def _finite(value: object) -> object:
    """JSON, and so a receipt, has no NaN and no infinity."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _at(placed: Placed, problem: str) -> Finding:
    return Finding(receipt=placed.line, experiment=placed.experiment, problem=problem)
