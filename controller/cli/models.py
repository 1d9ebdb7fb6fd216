"""Which models the agent llm asks: the options, the same for every verb that starts a run."""

from typing import Annotated

import typer

Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        metavar="PROVIDER/NAME",
        envvar="SEALED_MODEL",
        help="What the agent llm asks; given again: several, asked by what each gains.",
    ),
]
"""Names from the environment have spaces between them."""
Endpoint = Annotated[
    str | None,
    typer.Option(
        envvar="SEALED_ENDPOINT",
        metavar="URL",
        help="A server with the OpenAI API, such as http://127.0.0.1:8080/v1; model openai/NAME.",
    ),
]
PriceIn = Annotated[
    float | None,
    typer.Option(
        envvar="SEALED_PRICE_IN",
        min=0,
        help="Dollars for a million tokens of a prompt, where it is not known; 0: free.",
    ),
]
PriceOut = Annotated[
    float | None,
    typer.Option(envvar="SEALED_PRICE_OUT", min=0, help="The same for replies."),
]
ReplyTokens = Annotated[
    int,
    typer.Option(envvar="SEALED_REPLY_TOKENS", min=1, max=1_000_000, help="Most of one reply."),
]
