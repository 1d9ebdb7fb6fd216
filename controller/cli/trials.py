"""`sealed try`: one trial of one candidate, outside of any run."""

import secrets
from pathlib import Path
from typing import Annotated

import typer

from controller.cli.connection import connected
from controller.cli.exits import Exit
from controller.cli.output import duration, figure, print_json, size
from controller.cli.screen import Screen
from controller.task import find_task, read_task, read_text
from controller.text import printable
from controller.trial import run_trial
from sandbox.api import Outcome, Sandbox, Task, TrialRequest, TrialResult

_LOG_LETTERS = 4000


def try_candidate(
    task: Annotated[str, typer.Argument(metavar="TASK", help="A task's folder.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A candidate.")],
    vault: Annotated[
        bool, typer.Option("--vault", help="Score the vault too; tell no agent.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Run one candidate once, and say what it came to. Exit code 1: it has no score."""
    files, candidate = read_task(find_task(task)), read_text(file)
    with connected() as sandbox, Screen(file.name, quiet=json) as screen:
        prepared = sandbox.prepare(files, screen.progress)
        result = one_trial(sandbox, prepared, candidate, screen, vault=vault)
    if json:
        print_json(result)
    else:
        _tell(result, prepared.settings.metric)
    if result.outcome is not Outcome.scored:
        raise typer.Exit(Exit.failed)


def one_trial(
    sandbox: Sandbox, task: Task, candidate: str, screen: Screen, *, vault: bool
) -> TrialResult:
    """A trial with a key of its own, so that it really runs."""
    key = f"try-{secrets.token_hex(8)}"
    request = TrialRequest(key=key, task=task.hash, candidate=candidate, vault=vault)
    return run_trial(sandbox, request, screen.progress)


def _tell(result: TrialResult, metric: str) -> None:
    lines = {
        "outcome": str(result.outcome),
        "score": f"{figure(result.score)} {metric}",
        "rehearsal score": f"{figure(result.rehearsal_score)} {metric}",
        "vault score": ""
        if result.vault_score is None
        else f"{figure(result.vault_score)} {metric}",
        "reason": printable(result.reason, _LOG_LETTERS),
        "training": duration(result.seconds),
        "whole trial": duration(result.wall_seconds),
        "peak memory": f"at least {size(result.peak_memory_bytes)}",
        "device": result.device,
    }
    for name, value in lines.items():
        if value:
            typer.echo(f"{name + ':':<17}{value}")
    if result.outcome is not Outcome.scored and result.log:
        typer.echo(f"end of its log:\n{printable(result.log[-_LOG_LETTERS:], _LOG_LETTERS)}")
