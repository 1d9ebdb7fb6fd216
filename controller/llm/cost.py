"""What a call costs: the most that it can, before it, and what counts, after it. Pure.

A provider's figures are believed where they can be true. A token is at least a byte of the prompt,
so bytes bound tokens from above; and no tokenizer makes more than eight bytes of usual text into
one, which bounds them from below. What lies outside (negative, missing, a million million) counts
as the most that it can be. Discounts for cached prompts are not counted.
"""

import math
from collections.abc import Sequence
from fractions import Fraction

from controller.ledger.rows import Cost, Model
from controller.llm.chat import Message
from controller.llm.provider import Answer

_MESSAGE_TOKENS = 16
"""Of a message's role and its borders, at most."""
_TOKEN_BYTES = 8


def most(messages: Sequence[Message], model: Model) -> Cost:
    """The most that a call can cost."""
    size = sum(_size(message.content) + _MESSAGE_TOKENS for message in messages) + _MESSAGE_TOKENS
    return _cost(size, model.reply_tokens, model)


def counted(answer: Answer, messages: Sequence[Message], model: Model) -> Cost:
    """What a call that was answered is counted as; never more than `most`."""
    limit = most(messages, model)
    return _cost(
        _believed(
            answer.prompt_tokens, sum(_size(m.content) for m in messages), limit.prompt_tokens
        ),
        limit.completion_tokens
        if answer.cut
        else _believed(answer.completion_tokens, _size(answer.text), limit.completion_tokens),
        model,
    )


FREE = Cost(prompt_tokens=0, completion_tokens=0, nanodollars=0)
"""Of a call that the provider did not serve."""


def _believed(told: int | None, size: int, limit: int) -> int:
    return told if told is not None and size // _TOKEN_BYTES <= told <= limit else limit


def _cost(prompt: int, completion: int, model: Model) -> Cost:
    # Dollars for a million tokens are thousands of nanodollars for one; a price is decimal.
    price_in, price_out = (Fraction(str(price)) for price in (model.price_in, model.price_out))
    return Cost(
        prompt_tokens=prompt,
        completion_tokens=completion,
        nanodollars=math.ceil(1000 * (prompt * price_in + completion * price_out)),
    )


def _size(text: str) -> int:
    return len(text.encode(errors="replace"))
