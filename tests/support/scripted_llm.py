"""A provider on loopback that does what it is told: a real HTTP server with the OpenAI chat API.

Each call takes the next scenario of its script; the last one stays. It keeps its own books, for
what the controller counts must agree with what was served.
"""

import itertools
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PRICE_IN, PRICE_OUT = 3.0, 15.0
"""Dollars for a million tokens."""


@dataclass(frozen=True)
class Scene:
    """What one call meets."""

    text: str = ""
    status: int = 200
    wait: str | None = None
    """Of the header Retry-After."""
    usage: dict[str, Any] | None = field(default_factory=dict)
    """None: none is sent; else these instead of the true figures."""
    act: str = ""
    """hang, disconnect, malformed, flood, endless, drip: see `_Handler`."""
    error: str = "no"


def good(text: str) -> Scene:
    """A reply as it should be, with the true figures."""
    return Scene(text=text)


def edit(search: str, replacement: str, hypothesis: str = "It may help.") -> Scene:
    """A reply with one block."""
    return good(
        f"HYPOTHESIS: {hypothesis}\n<<<<<<< SEARCH\n{search}\n=======\n{replacement}\n"
        ">>>>>>> REPLACE\n"
    )


GARBAGE = good("ᚠᛇᚻ \x07\x1b[31m {{{{ </s> 0x")
REFUSAL = good("I'm sorry, but I can't help with that.")
BUSY = Scene(status=429, wait="1")
DOWN = Scene(status=500)
REJECTED = Scene(status=401)
HANG = Scene(act="hang")
DISCONNECT = Scene(text="HYPOTHESIS: x\n<<<<<<< SEARCH\n", act="disconnect")
MALFORMED = Scene(act="malformed")
FLOOD = Scene(act="flood")
ENDLESS = Scene(act="endless")
DRIP = Scene(act="drip")


@dataclass
class Books:
    """What was served."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompts: list[list[dict[str, str]]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    @property
    def nanodollars(self) -> int:
        return round(1000 * (self.prompt_tokens * PRICE_IN + self.completion_tokens * PRICE_OUT))


class ScriptedLLM(ThreadingHTTPServer):
    """Serves scenes; `url` is the endpoint."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, *scenes: Scene) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.scenes = list(scenes)
        self.books = Books()
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.called = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are what is tested."""


class _Handler(BaseHTTPRequestHandler):
    server: ScriptedLLM
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            books = self.server.books
            scene = self.server.scenes[min(books.calls, len(self.server.scenes) - 1)]
            books.calls += 1
            books.prompts.append(body["messages"])
            books.keys.append(self.headers.get("Authorization", ""))
        self.server.called.set()
        self.close_connection = True
        if scene.status != 200:
            self._refuse(scene)
        elif scene.act == "hang":
            self.server.over.wait(60)
        elif scene.act == "malformed":
            self._begin("text/event-stream")
            self._send(b'data: {"id": "x", "choices": [{"delta": {"content": \n\n')
        elif scene.act == "flood":
            # One line of 100 MB: no library that reads by lines ever sees its end.
            self._begin("text/event-stream")
            self._send(b'data: {"choices": [{"delta": {"content": "')
            for _ in range(100):
                self._send(b"x" * 2**20)
        elif scene.act in ("endless", "drip"):
            self._begin("text/event-stream")
            counter = itertools.count()
            while not self.server.over.is_set():
                count = next(counter)
                self._event(
                    self._delta(body, f"word {count} " * (1 if scene.act == "drip" else 99))
                )
                if scene.act == "drip":
                    time.sleep(0.05)
        else:
            self._reply(body, scene)

    def _reply(self, body: dict[str, Any], scene: Scene) -> None:
        prompt = sum(len(message["content"].split()) for message in body["messages"]) * 2
        completion = max(1, len(scene.text.encode()) // 3)
        with self.server.lock:
            self.server.books.prompt_tokens += prompt
            self.server.books.completion_tokens += completion
        usage: dict[str, Any] | None = None
        if scene.usage is not None:
            usage = {
                "prompt_tokens": prompt,
                "completion_tokens": completion,
                "total_tokens": prompt + completion,
            } | scene.usage
        if body.get("stream"):
            self._begin("text/event-stream")
            half = len(scene.text) // 2
            for piece in (scene.text[:half], scene.text[half:]):
                self._event(self._delta(body, piece))
                if scene.act == "disconnect":
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
            self._event(self._delta(body, "", finish="stop"))
            self._event(self._delta(body, None, usage=usage))
            self._send(b"data: [DONE]\n\n")
        else:
            message = {"role": "assistant", "content": scene.text}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            answer = {"object": "chat.completion", "choices": [choice], "usage": usage}
            self._json(200, {"id": "x", "created": 1, "model": body["model"], **answer})

    def _delta(
        self, body: dict[str, Any], piece: str | None, finish: str | None = None, usage: Any = None
    ) -> dict[str, Any]:
        choice = {"index": 0, "delta": {"content": piece}, "finish_reason": finish}
        event = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": body["model"]}
        event["choices"] = [] if piece is None else [choice]
        return event | ({} if usage is None else {"usage": usage})

    def _refuse(self, scene: Scene) -> None:
        # As providers do: the key comes back in the text of the error.
        key = self.headers.get("Authorization", "")
        self._json(scene.status, {"error": {"message": f"{scene.error}: {key}"}}, scene.wait)

    def _json(self, status: int, answer: dict[str, Any], wait: str | None = None) -> None:
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if wait is not None:
            self.send_header("Retry-After", wait)
        self.end_headers()
        self.wfile.write(data)

    def _begin(self, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Connection", "close")
        self.end_headers()

    def _event(self, event: dict[str, Any]) -> None:
        self._send(b"data: " + json.dumps(event).encode() + b"\n\n")

    def _send(self, data: bytes) -> None:
        self.wfile.write(data)
        self.wfile.flush()


@contextmanager
def scripted(*scenes: Scene) -> Iterator[ScriptedLLM]:
    """A server for as long as this lasts."""
    server = ScriptedLLM(*scenes)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        with suppress(OSError):
            server.server_close()
        thread.join(5)
