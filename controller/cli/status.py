"""`sealed status`: how a run stands."""

from typing import Annotated

import typer
from msgspec import Struct

from controller.cli.output import duration, figure, print_json
from controller.ledger import Halt, Refusal, State
from controller.runs import find_run, is_driven, reading
from sandbox.api import Goal, Outcome


class Status(Struct, frozen=True, kw_only=True):
    """How a run stands. `driven`: a process is at work on it; else `halt` says why it ended."""

    run: str
    task: str
    metric: str
    goal: Goal
    agent: str
    driven: bool
    halt: Halt | None
    """None: at work, or killed."""
    halt_detail: str | None
    baseline: float | None
    best: float | None
    champion: int | None
    experiments: int
    """After the baseline, finished ones."""
    kept: int
    refused: int
    """Proposals that were no candidates."""
    last_refusal: Refusal | None
    outcomes: dict[Outcome, int]
    current: int | None
    """The experiment that is not finished."""
    state: State | None
    """How far it has come."""
    seconds: float
    """Of all sessions, up to the ledger's last change."""
    most_experiments: int | None
    most_hours: float | None


def show_status(
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="Default: the newest.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """How a run stands: best, champion, counts, why it halted."""
    found = _status(run)
    if json:
        print_json(found)
    else:
        _tell(found)


def _status(run: str | None) -> Status:
    folder = find_run(run)
    driven = is_driven(folder)
    with reading(folder) as (ledger, row):
        tally, champion, unfinished = ledger.tally(), ledger.champion(), ledger.unfinished()
        last = next(reversed(ledger.sessions()), None)
        return Status(
            run=folder.name,
            task=row.task_name,
            metric=row.settings.metric,
            goal=row.settings.goal,
            agent=row.agent,
            driven=driven,
            halt=None if driven or last is None else last.halt,
            halt_detail=None if driven or last is None else last.detail,
            baseline=ledger.experiment(0).score,
            best=None if champion is None else champion.score,
            champion=None if champion is None else champion.number,
            experiments=tally.experiments,
            kept=tally.kept,
            refused=tally.refused,
            last_refusal=next(reversed(ledger.refusals()), None),
            outcomes=ledger.outcomes(),
            current=None if unfinished is None else unfinished.number,
            state=None if unfinished is None else unfinished.state,
            seconds=tally.seconds,
            most_experiments=row.most_experiments,
            most_hours=row.most_hours,
        )


def _tell(found: Status) -> None:
    if found.driven:
        state = "at work"
    elif found.halt is None:
        state = "killed; start it again with its --name to go on"
    else:
        state = f"halted ({found.halt}): {found.halt_detail}"
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in found.outcomes.items())
    limit = "" if found.most_experiments is None else f" of {found.most_experiments}"
    lines = {
        "run": f"{found.run}, task {found.task}, agent {found.agent}",
        "state": state,
        "best": f"{figure(found.best)} {found.metric} ({found.goal}), experiment {found.champion}"
        if found.champion is not None
        else "no score yet",
        "baseline": f"{figure(found.baseline)} {found.metric}",
        "experiments": f"{found.experiments}{limit}: {found.kept} kept"
        + (f"; {outcomes}" if outcomes else ""),
        "refused": ""
        if found.last_refusal is None
        else f"{found.refused} proposals, the last: {found.last_refusal.reason}",
        "now": "" if found.current is None else f"experiment {found.current} is {found.state}",
        "time": duration(found.seconds)
        + ("" if found.most_hours is None else f" of {found.most_hours:g} h"),
    }
    for name, value in lines.items():
        if value:
            typer.echo(f"{name + ':':<13}{value}")
