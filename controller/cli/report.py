"""`sealed report`: what a run came to, as one page."""

import sys
from enum import StrEnum
from typing import Annotated

import typer

from controller.runs import find_run


class Format(StrEnum):
    """What a report is written in."""

    html = "html"
    markdown = "markdown"


def report_run(
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="Default: the newest.")] = None,
    format_: Annotated[Format, typer.Option("--format", help="One file either way.")] = Format.html,
) -> None:
    """Write what a run gained to stdout, with each kept change: `sealed report > report.html`."""
    from controller.report import report_of  # templates and signatures are slow to import
    from controller.report.html import html
    from controller.report.markdown import markdown

    found = report_of(find_run(run))
    sys.stdout.write(html(found) if format_ is Format.html else markdown(found))
