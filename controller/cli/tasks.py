"""`sealed task`: the tasks that are prepared, preparing one, and a look at whether it works."""

import itertools
from typing import Annotated

import typer

from controller.cli.connection import connected
from controller.cli.exits import Exit
from controller.cli.output import duration, print_checks, print_items, print_table, say, size
from controller.cli.screen import Screen
from controller.cli.trials import one_trial
from controller.skeleton import SkeletonKind, write_skeleton
from controller.task import find_task, read_task
from controller.task_check import findings, measure, trials
from sandbox.api import Comparison, Progress, Stage, TrialResult, Verdict
from sandbox.errors import BadRequest

app = typer.Typer(help="Tasks: list, new, prepare, check, forget.")

Json = Annotated[bool, typer.Option("--json", help="One JSON document.")]
Folder = Annotated[str, typer.Argument(metavar="TASK", help="A task's folder.")]


@app.callback(invoke_without_command=True)
def tasks(context: typer.Context, json: Json = False) -> None:
    """Without a verb: list."""
    if context.invoked_subcommand is None:
        list_tasks(json)


@app.command("list")
def list_tasks(json: Json = False) -> None:
    """The prepared tasks, newest first."""
    with connected() as sandbox:
        found = sandbox.tasks()
    if json:
        print_items(found)
    elif not found:
        typer.echo("No task is prepared yet. Next: sealed task prepare tasks/digits")
    else:
        print_table(
            ("task", "hash", "metric", "goal", "budget", "data", "prepared"),
            [
                (
                    task.name,
                    task.hash[:12],
                    task.settings.metric,
                    task.settings.goal,
                    duration(task.settings.budget_seconds),
                    size(task.data_bytes),
                    task.prepared_at,
                )
                for task in found
            ],
        )


@app.command()
def prepare(task: Folder, json: Json = False) -> None:
    """Make a task's data and train its baseline, once; again, only what is missing."""
    files = read_task(find_task(task))
    with connected() as sandbox, Screen(files.name, quiet=json) as screen:
        prepared = sandbox.prepare(files, screen.progress)
    if json:
        print_items([prepared])
    else:
        typer.echo(f"{prepared.name} is prepared: {prepared.files} files, {prepared.hash[:12]}")


@app.command()
def check(task: Folder, json: Json = False) -> None:
    """Is the task fit for a loop? Runs its baseline, and answers that know nothing."""
    files = read_task(find_task(task))
    with connected() as sandbox, Screen(files.name, quiet=json) as screen:
        prepared = sandbox.prepare(files, screen.progress)
        sandbox.verify(prepared.hash, screen.progress)
        done = itertools.count(1)

        def run(candidate: str, vault: bool) -> TrialResult:
            screen.subject(f"{files.name}, trial {next(done)} of {trials()}")
            return one_trial(sandbox, prepared, candidate, screen, vault=vault)

        def compare(first: TrialResult, second: TrialResult) -> Comparison | None:
            try:
                return sandbox.compare([first.key], [second.key])
            except BadRequest:  # scores of different examples
                return None

        screen.subject(f"{files.name}, its data and its agent image")
        screen.progress(Progress(stage=Stage.examining))
        survey = sandbox.survey(prepared.hash)
        found = findings(prepared, survey, measure(run, compare, files.train))
    if json:
        print_items(found)
    else:
        print_checks(found)
    if any(finding.verdict is Verdict.failed for finding in found):
        raise typer.Exit(Exit.failed)


@app.command()
def new(
    kind: Annotated[SkeletonKind, typer.Argument(metavar="KIND", help=", ".join(SkeletonKind))],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the task, or a folder's path.")],
) -> None:
    """Write a skeleton: a task of this kind that works, with made-up data in place of yours."""
    folder = write_skeleton(kind, name)
    say(f"{folder} is a task of kind {kind}; prepare.py says where your data goes.")
    say(f"Next: sealed task check {folder}")


@app.command()
def forget(
    task: Annotated[str, typer.Argument(metavar="HASH", help="As `sealed task list` shows it.")],
) -> None:
    """Remove a prepared task's data and baseline; results stay."""
    with connected() as sandbox:
        matching = [found.hash for found in sandbox.tasks() if found.hash.startswith(task)]
        sandbox.forget(matching[0] if len(matching) == 1 else task)
