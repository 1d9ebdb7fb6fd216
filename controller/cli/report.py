"""`sealed report`: what a run came to, as one page."""

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.connection import connected
from controller.cli.output import figure, print_json
from controller.cli.screen import Screen
from controller.runs import find_run
from controller.text import one_line

if TYPE_CHECKING:
    from controller.report.ablation import Ablation, Change

_LETTERS = 200


class Format(StrEnum):
    """What a report is written in."""

    html = "html"
    markdown = "markdown"


def report_run(
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="Default: the newest.")] = None,
    format_: Annotated[Format, typer.Option("--format", help="One file either way.")] = Format.html,
    ablate: Annotated[
        bool,
        typer.Option("--ablation", help="Take each kept change out of the champion, and train."),
    ] = False,
    trials: Annotated[
        int, typer.Option(min=2, help="Of the champion and of each without, with --ablation.")
    ] = 5,
    json: Annotated[bool, typer.Option("--json", help="One JSON document instead.")] = False,
) -> None:
    """Write what a run gained to stdout, with each kept change: `sealed report > report.html`.

    --ablation needs a sandbox, and tells on stderr what it finds. What it trained once it does not
    train again.
    """
    from controller.report import report_of  # templates and signatures are slow to import
    from controller.report.html import html
    from controller.report.markdown import markdown

    folder, ablated = find_run(run), None
    if ablate:
        from controller.report.ablation import ablation

        with connected() as sandbox, Screen(folder.name, quiet=True) as screen:
            ablated = ablation(folder, sandbox, trials, screen.progress, screen.say)
            _tell(ablated, screen)
    found = report_of(folder, ablated)
    if json:
        print_json(found)
    else:
        sys.stdout.write(html(found) if format_ is Format.html else markdown(found))


def _tell(found: "Ablation", screen: Screen) -> None:
    for change in found.changes:
        screen.say(f"experiment {change.number}: {_said(change)}  {_short(change.hypothesis)}")


def _said(change: "Change") -> str:
    if change.gain is None:
        return f"{change.worth}. {_short(change.detail)}"
    return (
        f"{change.worth}, {figure(change.gain)} "
        f"(95 %: {figure(change.low)} to {figure(change.high)})"
    )


def _short(text: str) -> str:
    return one_line(text, _LETTERS)
