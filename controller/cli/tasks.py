"""`sealed task`: the tasks that are prepared, preparing one, and a look at whether it works."""

from typing import Annotated

import typer

from controller.cli.connection import connected
from controller.cli.exits import Exit
from controller.cli.output import duration, figure, print_checks, print_items, print_table, size
from controller.cli.screen import Screen
from controller.cli.trials import one_trial
from controller.task import find_task, read_task
from sandbox.api import Check, Outcome, Task, TrialResult, Verdict

app = typer.Typer(help="Tasks: list, prepare, check, forget.")
_NIGHT_SECONDS = 8 * 3600

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
    """Prepare a task, run its baseline once, and say what was found."""
    files = read_task(find_task(task))
    with connected() as sandbox, Screen(files.name, quiet=json) as screen:
        prepared = sandbox.prepare(files, screen.progress)
        sandbox.verify(prepared.hash, screen.progress)
        result = one_trial(sandbox, prepared, files.train, screen)
    findings = _findings(prepared, result)
    if json:
        print_items(findings)
    else:
        print_checks(findings)
    if any(finding.verdict is Verdict.failed for finding in findings):
        raise typer.Exit(Exit.failed)


@app.command()
def forget(
    task: Annotated[str, typer.Argument(metavar="HASH", help="As `sealed task list` shows it.")],
) -> None:
    """Remove a prepared task's data and baseline; results stay."""
    with connected() as sandbox:
        matching = [found.hash for found in sandbox.tasks() if found.hash.startswith(task)]
        sandbox.forget(matching[0] if len(matching) == 1 else task)


def _findings(task: Task, result: TrialResult) -> list[Check]:
    settings, scored = task.settings, result.outcome is Outcome.scored
    findings = {
        "settings": f"{settings.goal} {settings.metric}, {settings.budget_seconds:g} s a trial.",
        "data": f"{task.files} files, {size(task.data_bytes)}, as `prepare` wrote them.",
        "baseline": (
            f"{figure(result.score)} {settings.metric} over {result.examples} held-out examples; "
            f"{figure(result.rehearsal_score)} in the rehearsal."
            if scored
            else f"It ends {result.outcome}: {result.reason}"
        ),
        "budget": f"It trained for {duration(result.seconds)} of {settings.budget_seconds:g} s.",
        "memory": (
            f"It was seen with {size(result.peak_memory_bytes)} of {settings.memory_mib} MiB."
        ),
        "experiments": f"About {_NIGHT_SECONDS / max(1.0, result.wall_seconds):.0f} in 8 hours.",
    }
    return [
        Check(
            name=name,
            verdict=Verdict.failed if name == "baseline" and not scored else Verdict.passed,
            measured=True,
            detail=detail,
        )
        for name, detail in findings.items()
    ]
