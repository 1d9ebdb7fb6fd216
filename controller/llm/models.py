"""Which models a run asks: what a person said, held against what is known of prices and keys."""

from collections.abc import Sequence

from msgspec import Struct

from controller.errors import Unusable
from controller.ledger import Model
from controller.llm.client import Client
from controller.llm.keys import key_of

REPLY_TOKENS = 16_384
"""A candidate of 64 KiB, or an edit and some thinking before it."""


class Wish(Struct, frozen=True, kw_only=True):
    """What a person said of models."""

    names: tuple[str, ...] = ()
    endpoint: str | None = None
    price_in: float | None = None
    """Dollars for a million tokens, declared; goes before what is known."""
    price_out: float | None = None
    reply_tokens: int = REPLY_TOKENS


def resolved(wish: Wish, earlier: Sequence[Model], client: Client) -> list[Model]:
    """The run's models, each with its price; `earlier` where nothing else is said.

    Raises `Unusable`: an unknown price is not zero.
    """
    models = [_model(name, wish, client) for name in dict.fromkeys(wish.names)] or list(earlier)
    if not models:
        raise Unusable(
            "The agent llm needs a model.", "Give --model, such as anthropic/NAME or openai/NAME."
        )
    for model in models:
        key_of(model.name, model.endpoint)
    return models


def _model(name: str, wish: Wish, client: Client) -> Model:
    if not name.isprintable() or "/" not in name or " " in name:
        raise Unusable(
            f"{name!r} names no model.",
            "Give provider and name, such as anthropic/NAME; openai/NAME for --endpoint.",
        )
    if wish.endpoint is not None and not _is_plain(wish.endpoint):
        raise Unusable(
            "--endpoint must be http:// or https:// and have no password in it.",
            "Such as http://127.0.0.1:8080/v1; a key goes into SEALED_LLM_KEY_FILE.",
        )
    price_in, price_out = wish.price_in, wish.price_out
    # At an endpoint of one's own, a known name says nothing of what it costs.
    if price_in is None and price_out is None and wish.endpoint is None:
        known = client.price(name)
        price_in, price_out = known.prompt, known.completion
    if price_in is None or price_out is None:
        raise Unusable(
            f"What {name} costs is not known, and an unknown price is not zero.",
            "Give --price-in and --price-out, in dollars for a million tokens; 0 if it is free.",
        )
    return Model(
        name=name,
        endpoint=wish.endpoint,
        price_in=price_in,
        price_out=price_out,
        reply_tokens=wish.reply_tokens,
    )


def _is_plain(endpoint: str) -> bool:
    return (
        endpoint.startswith(("http://", "https://"))
        and endpoint.isprintable()
        and not set(" @?#") & set(endpoint)
    )
