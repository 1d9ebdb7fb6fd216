"""The option `--accept`, the same for every verb that depends on the doctor's findings."""

from typing import Annotated

import typer

from sandbox.api import Advisory

Accept = Annotated[
    list[Advisory] | None,
    typer.Option(
        "--accept",
        metavar="NAME",
        envvar="SEALED_ACCEPT",
        help="Go on in spite of this advisory finding of the doctor; may be given again.",
    ),
]
"""Names from the environment have spaces between them."""
