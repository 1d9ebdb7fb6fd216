"""The program that speaks to providers, in a process of its own: the one file that imports litellm.

A reply is as hostile as a candidate: it may be endless, 100 MB in one line, or never come. Nothing
in a library for HTTP bounds all of that, the kernel does: this process has a bound on its memory,
and `client` kills it at the deadline. It gets one request a line on stdin and answers with one
line. Its environment has no key; the key comes with the request. When stdin ends, it ends.

What is not covered: litellm runs as the controller's user, with its network. It is pinned by hash,
and not imported before a model is asked.
"""

import os
import queue
import re
import resource
import sys
import threading
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

MEMORY_BYTES = 1 << 30
"""Most private memory of this process; litellm takes a fifth of it."""
_FAULT_LETTERS = 600
_PREFIXES = re.compile(r"^(?:[\w.]+(?:Error|Exception|Timeout)(?:: | - ))+")


class Ask(Struct, frozen=True, kw_only=True, tag="ask"):
    """One call of a model."""

    model: str
    """As litellm names it: `provider/name`."""
    endpoint: str | None
    """Base URL of an OpenAI-compatible server; None: the provider's own."""
    key: str
    messages: list[dict[str, str]]
    most_tokens: int
    """Of the reply, what the model thinks before it included."""
    most_letters: int
    """Of the reply's text; a longer one is cut there, and the connection closed."""
    quiet_seconds: float
    """Longest silence."""


class AskPrice(Struct, frozen=True, kw_only=True, tag="price"):
    """What a model costs at its provider, as litellm's own table has it."""

    model: str


class Answer(Struct, frozen=True, kw_only=True, tag="answer"):
    """What a model replied."""

    text: str
    cut: bool = False
    """It was longer than asked for."""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    """As the provider tells them, however wrong; None: it told none."""


class Price(Struct, frozen=True, kw_only=True, tag="price"):
    """Dollars for a million tokens; None: not known."""

    prompt: float | None = None
    completion: float | None = None


class Trouble(StrEnum):
    """Why a call came to nothing."""

    rejected = "rejected"
    """Key, model or request is wrong; asking again helps nobody. Nothing was billed."""
    busy = "busy"
    """A rate limit or a quota. Nothing was billed."""
    down = "down"
    """No connection, or the server's own error before the first byte. Nothing was billed."""
    broken = "broken"
    """It broke off, hung, or sent what is no reply: it may have been billed."""


class Fault(Struct, frozen=True, kw_only=True, tag="fault"):
    """A call that came to nothing."""

    trouble: Trouble
    message: str
    """The library's words: may have anything in it, the key too."""
    retry_after: float | None = None
    """Seconds that the server asks to wait."""


Request = Ask | AskPrice
Response = Answer | Price | Fault


def _fault(error: Exception, begun: bool) -> Fault:
    status = getattr(error, "status_code", None)
    # The library repeats itself: `InternalServerError: litellm.InternalServerError: …`.
    told = _PREFIXES.sub("", str(error)[:_FAULT_LETTERS]).split(" Original exception")[0]
    root = _root(error)
    message = f"{type(error).__name__}: {told}"
    if root is not error and str(root) and str(root) not in message:
        message += f" ({type(root).__name__}: {str(root)[:_FAULT_LETTERS]})"
    if begun or "timeout" in type(error).__name__.lower():
        return Fault(trouble=Trouble.broken, message=message)
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    headers = getattr(error, "litellm_response_headers", None) or headers
    wait = None
    with suppress(TypeError, ValueError, KeyError):
        wait = float(headers["retry-after"])
    if status == 429:
        return Fault(trouble=Trouble.busy, message=message, retry_after=wait)
    if isinstance(status, int) and 400 <= status < 500 and status not in (408, 409):
        return Fault(trouble=Trouble.rejected, message=message)
    return Fault(trouble=Trouble.down, message=message, retry_after=wait)


def _root(error: BaseException) -> BaseException:
    """Where it began: a library wraps `Connection refused` into three errors of its own."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error


def _ask(litellm: Any, ask: Ask) -> Answer | Fault:
    begun = False
    pieces: list[str] = []
    usage: Any = None
    letters = 0
    try:
        stream = litellm.completion(
            model=ask.model,
            messages=ask.messages,
            api_key=ask.key or "none",
            api_base=ask.endpoint,
            max_tokens=ask.most_tokens,
            timeout=ask.quiet_seconds,
            stream=True,
            stream_options={"include_usage": True},
            num_retries=0,
            max_retries=0,
        )
        begun = True
        for chunk in stream:
            usage = getattr(chunk, "usage", None) or usage
            for choice in chunk.choices[:1]:
                piece = choice.delta.content or ""
                pieces.append(piece)
                letters += len(piece)
            if letters > ask.most_letters:
                break
    except Exception as error:
        if isinstance(_root(error), MemoryError):
            raise MemoryError from None
        return _fault(error, begun)
    text = "".join(pieces)
    if not text and usage is None:
        return Fault(trouble=Trouble.broken, message="It sent nothing that is a streamed reply.")
    return Answer(
        text=text[: ask.most_letters],
        cut=len(text) > ask.most_letters,
        prompt_tokens=_count(usage, "prompt_tokens"),
        completion_tokens=_count(usage, "completion_tokens"),
    )


def _count(usage: Any, name: str) -> int | None:
    value = getattr(usage, name, None)
    return value if isinstance(value, int) and abs(value) < 1 << 62 else None


def _price(litellm: Any, model: str) -> Price:
    try:
        known = litellm.get_model_info(model)
        prompt, completion = known["input_cost_per_token"], known["output_cost_per_token"]
        return Price(prompt=prompt * 1e6, completion=completion * 1e6)
    except Exception:  # litellm raises a bare one for what it does not know
        return Price()


def _load() -> Any:
    import litellm

    litellm.telemetry = False
    litellm.suppress_debug_info = True
    litellm.drop_params = True
    return litellm


def main() -> None:
    """Answer requests until stdin ends, or a reply does not fit into memory."""
    os.chdir("/")
    answers = os.dup(1)
    with Path(os.devnull).open("w") as nothing:
        os.dup2(nothing.fileno(), 1)  # the library prints
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin.buffer:
            requests.put(line)
        os._exit(0)  # whoever asked is gone: nobody pays for a reply that nobody reads

    threading.Thread(target=read, name="stdin", daemon=True).start()
    litellm: Any = None
    while True:
        request = msgspec.json.decode(requests.get(), type=Request)
        response: Response
        litellm = litellm or _load()
        if isinstance(request, Ask):
            response = _ask(litellm, request)
        else:
            response = _price(litellm, request.model)
        os.write(answers, msgspec.json.encode(response) + b"\n")


if __name__ == "__main__":
    main()
