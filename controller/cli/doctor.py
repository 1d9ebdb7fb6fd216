"""`sealed doctor`: whether this machine keeps what the sandbox promises."""

from typing import Annotated

import typer

from controller.cli.connection import connected
from controller.cli.exits import Exit
from controller.cli.output import print_checks, print_items
from sandbox.api import Verdict


def examine(
    json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Try every promise of the sandbox in throw-away containers. Exit code 3: one is broken."""
    with connected() as sandbox:
        checks = sandbox.doctor()
    if json:
        print_items(checks)
    else:
        print_checks(checks)
    if any(check.verdict is Verdict.failed for check in checks):
        raise typer.Exit(Exit.preflight)
