"""`sealed run`: drive a run until it halts."""

from pathlib import Path
from typing import Annotated

import typer

from controller.agents import Kind
from controller.cli import limits as options
from controller.cli import models
from controller.cli.accept import Accept
from controller.cli.connection import connected
from controller.cli.control_arm import Control
from controller.cli.exits import Exit
from controller.cli.output import complain, figure
from controller.cli.screen import Screen
from controller.driver import Order, drive_on
from controller.ledger import Halt, RunLimits, Wanted
from controller.llm.models import REPLY_TOKENS, Wish
from controller.runs import created, reading, runs_root, want
from controller.task import find_task

_DONE = {
    Halt.experiments,
    Halt.hours,
    Halt.plateau,
    Halt.dollars,
    Halt.tokens,
    Halt.calls,
    Halt.exhausted,
    Halt.stopped,
}


def run_task(
    task: Annotated[str, typer.Argument(metavar="TASK", help="A task's folder.")],
    name: Annotated[
        str | None, typer.Option(help="Of the run; the name of one that exists goes on with it.")
    ] = None,
    agent: Annotated[
        Kind | None, typer.Option(help="What proposes; default: search; with --model: llm.")
    ] = None,
    source: Annotated[
        str | None, typer.Option("--from", metavar="PATH|RUN", help="What a replay proposes.")
    ] = None,
    control: Control = None,
    model: models.Models = None,
    endpoint: models.Endpoint = None,
    price_in: models.PriceIn = None,
    price_out: models.PriceOut = None,
    reply_tokens: models.ReplyTokens = REPLY_TOKENS,
    experiments: options.Experiments = None,
    hours: options.Hours = None,
    plateau: options.Plateau = None,
    dollars: options.Dollars = None,
    tokens: options.Tokens = None,
    calls: options.Calls = None,
    dollars_a_day: options.DollarsADay = None,
    tokens_a_day: options.TokensADay = None,
    calls_a_day: options.CallsADay = None,
    hours_a_day: options.HoursADay = None,
    accept: Accept = None,
) -> None:
    """Improve a task's train.py: propose, run, score, decide, record, and again.

    Interrupted or killed, it goes on where it was when it is started again with its --name. A disk
    that is full is waited for.
    """
    limits = RunLimits(
        most_experiments=experiments,
        most_hours=hours,
        plateau=plateau,
        most_dollars=dollars,
        most_tokens=tokens,
        most_calls=calls,
        most_dollars_a_day=dollars_a_day,
        most_tokens_a_day=tokens_a_day,
        most_calls_a_day=calls_a_day,
        most_hours_a_day=hours_a_day,
    )
    wish = Wish(
        names=tuple(model or ()),
        endpoint=endpoint,
        price_in=price_in,
        price_out=price_out,
        reply_tokens=reply_tokens,
    )
    order = Order(
        task=task,
        name=name,
        agent=agent,
        source=source,
        control=control,
        models=wish,
        limits=limits,
        accepted=tuple(accept or ()),
    )
    if name is not None and created(runs_root() / name) is not None:
        want(runs_root() / name, Wanted.running)  # a person starts it: whatever held it is over
    with Screen(find_task(task).resolve().name) as screen:
        ended = drive_on(order, connected, screen)
    typer.echo(f"halted: {ended.end.detail}")
    _tell_end(ended.folder)
    if ended.end.halt not in _DONE:
        complain(ended.end.detail, f"Look at `sealed experiment logs {ended.folder.name}`.")
        raise typer.Exit(Exit.failed)


def _tell_end(folder: Path) -> None:
    with reading(folder) as (ledger, row):
        champion = ledger.champion()
        if champion is None:
            return
        metric, baseline = row.settings.metric, ledger.experiment(0).score
        typer.echo(
            f"best: {figure(champion.score)} {metric} by experiment {champion.number}; "
            f"the baseline has {figure(baseline)}\n"
            f"see: sealed experiment list {folder.name}\n"
            f"     git -C {folder / 'repository'} log -p main"
        )
