"""`sealed pause`, `resume`, `stop`: what a person wants of a run that another process drives."""

from typing import Annotated

import typer

from controller.cli import limits as options
from controller.cli.output import say
from controller.ledger import RunLimits, Wanted
from controller.runs import find_run, is_driven, limit, want

Run = Annotated[str | None, typer.Argument(metavar="[RUN]", help="Default: the newest.")]


def pause(run: Run = None) -> None:
    """Let the experiment at hand end, then wait; `resume` goes on."""
    _want(run, Wanted.paused, "pauses after the experiment at hand", "stays as it is")


def resume(
    run: Run = None,
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
) -> None:
    """Go on with a run that was paused or stopped, or that has come to a limit: give a new one."""
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
    limit(find_run(run), limits)
    _want(run, Wanted.running, "goes on", "goes on once `sealed serve` or `sealed run` drives it")


def stop(run: Run = None) -> None:
    """Cancel the trial at hand and end the run; `resume` goes on, and the trial begins anew."""
    _want(run, Wanted.stopped, "stops now", "stays as it is")


def _want(run: str | None, wanted: Wanted, driven: str, idle: str) -> None:
    folder = find_run(run)
    want(folder, wanted)
    text = driven if is_driven(folder) else f"is driven by no process now; it {idle}"
    say(f"{folder.name} {text}")
