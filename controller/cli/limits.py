"""When a run is to halt: the options, the same for `sealed run` and `sealed resume`."""

from typing import Annotated

import typer

Experiments = Annotated[
    int | None,
    typer.Option("--experiments", min=0, help="Halt after so many, the baseline not counted."),
]
Hours = Annotated[
    float | None, typer.Option("--hours", min=0, help="Halt after so many hours of running.")
]
Plateau = Annotated[
    int | None,
    typer.Option("--plateau", min=1, help="Halt after so many in a row that were not kept."),
]
Dollars = Annotated[
    float | None,
    typer.Option("--dollars", min=0, help="Halt before models cost more, in all."),
]
Tokens = Annotated[
    int | None,
    typer.Option("--tokens", min=0, help="The same in tokens."),
]
Calls = Annotated[
    int | None,
    typer.Option("--calls", min=0, help="The same in calls of models."),
]
DollarsADay = Annotated[
    float | None,
    typer.Option(
        "--dollars-a-day",
        min=0,
        help="Wait for the next day (UTC) before models cost more in one.",
    ),
]
TokensADay = Annotated[
    int | None,
    typer.Option("--tokens-a-day", min=0, help="The same in tokens."),
]
CallsADay = Annotated[
    int | None,
    typer.Option("--calls-a-day", min=0, help="The same in calls."),
]
HoursADay = Annotated[
    float | None,
    typer.Option("--hours-a-day", min=0, help="Run so many hours of a day."),
]
