"""Calls of models with bounds: the process that makes them, its deadlines, what its errors may say.

`provider` is a process of its own. It gets what it needs and no more: no variable of the
environment that could be a key, and one key for each call, over its stdin. It is killed at the
deadline, when a person stops the run, and by the kernel when it takes too much memory.
"""

import os
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import msgspec
import structlog
from msgspec.structs import replace

from controller.llm import provider
from controller.llm.provider import Answer, Ask, AskPrice, Fault, Price, Response, Trouble
from controller.text import one_line

log = structlog.get_logger(__name__)

START_SECONDS = 120.0
"""For the library to be imported, which takes a few seconds of one CPU."""
_LOOK_SECONDS = 0.2
_ANSWER_BYTES = 1 << 24
"""Above every answer that `provider` writes: letters are bounded, and one is six bytes at most."""
_MESSAGE_LETTERS = 300
_SECRET_LETTERS = 8
_PASSED_ON = (
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "LANG"),
)
_SET = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it fetches prices, and takes none for zero
    "LITELLM_MODE": "PRODUCTION",  # else it reads a file `.env`
    "HF_HUB_OFFLINE": "1",
    "DO_NOT_TRACK": "1",
}


class Client:
    """Makes one call at a time; thread-safe. The process starts with the first one."""

    def __init__(self, seconds: float) -> None:
        """`seconds`: the most that a call may take."""
        self._seconds = seconds
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._warm = False
        """Whether it has answered: the library is there."""
        self._closed = threading.Event()

    def close(self) -> None:
        """End the process, and with it the call that is going on."""
        self._closed.set()
        with self._lock:
            self._end()

    def price(self, model: str) -> Price:
        """What a model costs, as far as it is known."""
        answer = self._respond(AskPrice(model=model), START_SECONDS, lambda: False)
        return answer if isinstance(answer, Price) else Price()

    def ask(self, ask: Ask, stopped: Callable[[], bool]) -> Answer | Fault:
        """Make a call; `stopped` is asked again and again, and ends it.

        What a fault says is one line without the key.
        """
        began = time.monotonic()
        answer = self._respond(ask, self._seconds, stopped)
        seconds = round(time.monotonic() - began, 3)
        if isinstance(answer, Fault):
            message = one_line(scrubbed(answer.message, ask.key), _MESSAGE_LETTERS)
            answer = replace(answer, message=message)
            log.warning("call", model=ask.model, seconds=seconds, ended=answer.trouble, why=message)
            return answer
        if isinstance(answer, Answer):
            log.info("call", model=ask.model, seconds=seconds, ended="reply", cut=answer.cut)
            # A model that is told its key by its server could only get it here.
            return replace(answer, text=scrubbed(answer.text, ask.key))
        raise AssertionError("a price is no answer")

    def _respond(
        self, request: Ask | AskPrice, seconds: float, stopped: Callable[[], bool]
    ) -> Response:
        with self._lock:
            process = self._started()
            if process is None:
                return Fault(trouble=Trouble.broken, message="The call was stopped.")
            assert process.stdin is not None
            deadline = time.monotonic() + seconds + (0 if self._warm else START_SECONDS)
            data, why = None, "The process that calls has ended: it may have had too much to hold."
            try:
                process.stdin.write(msgspec.json.encode(request) + b"\n")
                process.stdin.flush()
                data = self._line(process, deadline, stopped)
            except TimeoutError as fault:
                why = str(fault)
            except BrokenPipeError:
                pass
            finally:
                if data is None:  # interrupted too: the next call must not get this one's answer
                    self._end()
            if data is None:
                return Fault(trouble=Trouble.broken, message=why)
            self._warm = True
            response: Response = msgspec.json.decode(data, type=Response)
            return response

    def _started(self) -> subprocess.Popen[bytes] | None:
        if self._closed.is_set():
            return None
        if self._process is None:
            self._warm = False
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-B", provider.__file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # the library writes prompts and keys there
                env=_SET | {name: os.environ[name] for name in _PASSED_ON if name in os.environ},
                cwd="/",
                start_new_session=True,  # a Ctrl-C is ours to handle
            )
        return self._process

    def _line(
        self, process: subprocess.Popen[bytes], deadline: float, stopped: Callable[[], bool]
    ) -> bytes | None:
        """What it answers; None: it ended, or answered too much. Raises `TimeoutError`."""
        assert process.stdout is not None
        data = bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while len(data) <= _ANSWER_BYTES:
                if self._closed.is_set() or stopped():
                    raise TimeoutError("The call was stopped.")
                if time.monotonic() > deadline:
                    raise TimeoutError(f"It was not over after {self._seconds:g} s.")
                if not selector.select(_LOOK_SECONDS):
                    continue
                piece = os.read(process.stdout.fileno(), 1 << 16)
                data += piece
                if not piece:
                    return None
                if piece.endswith(b"\n"):
                    return bytes(data)
        return None

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()


def scrubbed(text: str, key: str) -> str:
    """Text of others without the key in it. A short one is no secret, and may be any word."""
    return text.replace(key, "[key]") if len(key) >= _SECRET_LETTERS else text
