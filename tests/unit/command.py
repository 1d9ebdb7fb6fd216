"""What the tests of the command line share."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from typer.testing import Result

from controller.ledger import Experiment
from tests.unit.toy import ledger_of

Sealed = Callable[..., Result]
"""Runs `sealed …`, and checks its exit code."""


def write(candidate: str, name: str = "candidate.py") -> str:
    """A candidate's file in the working directory."""
    Path(name).write_text(candidate)
    return name


def replayed(sealed: Sealed, *files: str) -> None:
    """A run `run` of these candidates, in this order."""
    folder = Path("candidates")
    folder.mkdir()
    for number, text in enumerate(files):
        (folder / f"{number}.py").write_text(text)
    sealed("run", "toy", "--name", "run", "--agent", "replay", "--from", "candidates")


def document(result: Result) -> Any:
    """The JSON that a verb printed, alone on stdout."""
    return json.loads(result.stdout)


def experiments(name: str) -> list[Experiment]:
    """As the ledger has them."""
    with ledger_of(name) as ledger:
        return ledger.experiments()
