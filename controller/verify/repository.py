"""The repository against the ledger: each experiment's commit, and `main`."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from controller.decision import Decision
from controller.errors import NotFound
from controller.ledger import Experiment, Ledger, RunRow, State
from controller.repository import RepositoryReader, object_id, objects_of
from controller.runs import with_train
from controller.verify.finding import Finding

_MAIN = "refs/heads/main"
_EXPERIMENTS = "refs/experiments/"


def check_repository(folder: Path, ledger: Ledger, row: RunRow) -> Iterator[Finding]:
    """Commits that are not what was recorded, that are missing, or that nothing was recorded of."""
    try:
        with RepositoryReader(folder) as repository:
            yield from _check(repository, ledger, row)
    except NotFound as fault:
        yield Finding(problem=fault.message)


def _check(repository: RepositoryReader, ledger: Ledger, row: RunRow) -> Iterator[Finding]:
    refs = repository.refs()
    experiments = {e.number: e for e in ledger.experiments()}
    candidates = ledger.candidates()
    head = ledger.champion() or experiments.get(0)
    main = {head.commit_id} if head is not None else set()
    for number, experiment in experiments.items():
        if experiment.message is None or experiment.decided_at is None:
            continue
        parent = None if experiment.parent is None else experiments[experiment.parent].commit_id
        objects = objects_of(
            with_train(row, candidates[number]),
            experiment.message,
            parent=parent,
            when=datetime.fromisoformat(experiment.decided_at),
        )
        commit, recorded = object_id(*objects[-1]).hex(), experiment.state is State.recorded
        ref = refs.get(f"{_EXPERIMENTS}{number}")
        if experiment.commit_id not in (None, commit):
            problem = "Its commit is not of what the ledger has: "
            yield Finding(
                experiment=number, problem=f"{problem}{experiment.commit_id}, not {commit}."
            )
        if ref != commit and (recorded or ref is not None):
            yield Finding(experiment=number, problem=f"Its ref is at {ref}, not at {commit}.")
        elif recorded and not repository.holds(objects):
            yield Finding(experiment=number, problem="Its commit's objects are missing or broken.")
        for trailer in _missing_trailers(experiment, row.id):
            problem = f"The text of its commit does not say {trailer}."
            yield Finding(experiment=number, problem=problem)
        if not recorded and (experiment.decision is Decision.kept or number == 0):
            main.add(commit)  # it may be there already
    if head is not None and refs.get(_MAIN) not in main:
        problem = f"`main` is at {refs.get(_MAIN)}, not at the champion's {head.commit_id}."
        yield Finding(problem=problem)
    known = {f"{_EXPERIMENTS}{number}" for number in experiments}
    for ref, commit in refs.items():
        if ref.startswith(_EXPERIMENTS) and ref not in known:
            yield Finding(problem=f"The commit {commit} at {ref} has no receipt.")


def _missing_trailers(experiment: Experiment, run: str) -> Iterator[str]:
    """What the commit's text should say, of what is signed and no figure."""
    said = (experiment.message or "").rstrip("\n").rpartition("\n\n")[2].split("\n")
    for name, value in (
        ("Run", run),
        ("Experiment", experiment.number),
        ("Outcome", experiment.outcome),
        ("Decision", experiment.decision),
    ):
        if f"Sealed-{name}: {value}" not in said:
            yield f"Sealed-{name}: {value}"
