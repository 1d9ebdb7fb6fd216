"""The option `--control`, the same for every verb that starts a run."""

import math
from typing import Annotated

import typer


def _share(text: str) -> float:
    """The share of `search=0.2`."""
    name, _, share = text.partition("=")
    try:
        found = float(share)
    except ValueError:
        found = math.nan
    if name != "search" or not 0 < found < 1:
        raise typer.BadParameter(f"{text!r} is no share, such as search=0.2")
    return found


Control = Annotated[
    float | None,
    typer.Option(
        "--control",
        metavar="search=SHARE",
        envvar="SEALED_CONTROL",
        parser=_share,
        help="This share of the experiments is the plain search's, to compare with.",
    ),
]
