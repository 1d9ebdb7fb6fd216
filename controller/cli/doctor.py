"""`sealed doctor`: whether this machine keeps what the sandbox promises."""

from typing import Annotated

import typer

from controller.cli.accept import Accept
from controller.cli.connection import connected
from controller.cli.exits import Exit
from controller.cli.output import print_checks, print_items
from controller.gate import judged
from sandbox.api import Verdict


def examine(
    accept: Accept = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
    key: Annotated[
        bool, typer.Option("--key", help="Print the public key of receipts, and do nothing else.")
    ] = False,
) -> None:
    """Try every promise of the sandbox in throw-away containers, and look at what is around them.

    What warns here stops a run whose candidates a model writes, unless it is accepted by name.
    Exit code 3: a promise is broken.
    """
    with connected() as sandbox:
        if key:
            typer.echo(sandbox.info().public_key, nl=False)
            return
        checks = judged(sandbox.doctor(), model_writes=False, accepted=accept or ())
    if json:
        print_items(checks)
    else:
        print_checks(checks)
    if any(check.verdict is Verdict.failed for check in checks):
        raise typer.Exit(Exit.preflight)
