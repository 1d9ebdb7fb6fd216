"""A proxy in front of the engine's socket that does to its answers what a sick engine does.

One request a connection, so that all that follows a request's head is passed on as bytes. A lie is
chosen by the request's method and path; what no lie is told about goes through untouched.
"""

import contextlib
import http.client
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

_CHUNK = 1 << 16
_HANG_SECONDS = 60.0

Lie = Callable[[socket.socket, socket.socket, bytes], None]
"""Answers one request: client, engine, and the request's head, which was not sent on yet."""


# ---- lies -------------------------------------------------------------------------------------


def hang(client: socket.socket, engine: socket.socket, head: bytes) -> None:
    """Take the request, and never answer."""
    client.settimeout(_HANG_SECONDS)
    with contextlib.suppress(OSError):
        while client.recv(_CHUNK):
            pass


def drop(client: socket.socket, engine: socket.socket, head: bytes) -> None:
    """Close the connection without a word."""


def refuse(client: socket.socket, engine: socket.socket, head: bytes) -> None:
    """Answer 500."""
    body = b'{"message": "something is wrong"}'
    client.sendall(
        b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\n"
        b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    )


def babble(client: socket.socket, engine: socket.socket, head: bytes) -> None:
    """Answer 200, with JSON that has nothing of what was asked for."""
    client.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
        b"Content-Length: 4\r\n\r\nnull"
    )


def drip(client: socket.socket, engine: socket.socket, head: bytes) -> None:
    """Pass the engine's answer on byte by byte, so that no single read waits long."""
    engine.sendall(head)
    threading.Thread(target=_pump, args=(client, engine), daemon=True).start()
    while data := engine.recv(1):
        client.sendall(data)
        time.sleep(0.2)


def truncated(most: int) -> Lie:
    """Close after so many bytes of the answer."""

    def lie(client: socket.socket, engine: socket.socket, head: bytes) -> None:
        engine.sendall(head)
        threading.Thread(target=_pump, args=(client, engine), daemon=True).start()
        left = most
        while left and (data := engine.recv(left)):
            client.sendall(data)
            left -= len(data)

    return lie


def delayed(seconds: float) -> Lie:
    """Answer truly, but late."""

    def lie(client: socket.socket, engine: socket.socket, head: bytes) -> None:
        time.sleep(seconds)
        honest(client, engine, head)

    return lie


def honest(client: socket.socket, engine: socket.socket, head: bytes) -> None:
    """Pass everything on."""
    engine.sendall(head)
    threading.Thread(target=_pump, args=(client, engine), daemon=True).start()
    _pump(engine, client)


def broken_off(pieces: int, then: Callable[[], object]) -> Lie:
    """Pass on so many pieces of a hijacked stream and half of the next one; then close."""

    def lie(client: socket.socket, engine: socket.socket, head: bytes) -> None:
        engine.sendall(head)
        threading.Thread(target=_pump, args=(client, engine), daemon=True).start()
        with engine.makefile("rb") as answer:
            while (line := answer.readline()) != b"\r\n":
                client.sendall(line)
            client.sendall(line)
            for left in range(pieces, -1, -1):
                piece = answer.read(8)
                length = int.from_bytes(piece[4:], "big")
                client.sendall(piece + answer.read(length if left else length // 2))
        then()

    return lie


def until(over: threading.Event) -> Lie:
    """Pass everything on until the event is set; then close."""

    def lie(client: socket.socket, engine: socket.socket, head: bytes) -> None:
        def close() -> None:
            over.wait()
            for end in (client, engine):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

        threading.Thread(target=close, daemon=True).start()
        honest(client, engine, head)

    return lie


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(_CHUNK):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


# ---- the proxy --------------------------------------------------------------------------------


class LyingEngine:
    """Listens at `url`; `lies` are tried in order, each a pattern of `METHOD /path` and a lie."""

    def __init__(self, path: Path, engine: str) -> None:
        """`engine`: the path of the true engine's socket."""
        self.url = f"unix://{path}"
        self.lies: list[tuple[re.Pattern[str], Lie]] = []
        self.asked: list[str] = []
        """Every request so far, as `METHOD /path`."""
        self._engine = engine
        self._open: set[socket.socket] = set()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        threading.Thread(target=self._accept, name="lying engine", daemon=True).start()

    def tell(self, pattern: str, lie: Lie) -> None:
        """From here on, answer requests that the pattern is found in with a lie."""
        self.lies.append((re.compile(pattern), lie))

    def container_of(self, asked: str) -> str:
        """The container of a request for an exec."""
        (execution,) = re.findall(r"/exec/(\w+)/", asked)
        connection = http.client.HTTPConnection("engine")
        with contextlib.closing(connection), self._connected() as engine:
            connection.sock = engine
            connection.request("GET", f"/exec/{execution}/json", headers={"Connection": "close"})
            return str(json.loads(connection.getresponse().read())["ContainerID"])

    def close(self) -> None:
        """Stop listening, and close what is open."""
        with contextlib.suppress(OSError):  # it was closed already
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for end in list(self._open):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    @contextlib.contextmanager
    def _connected(self) -> Iterator[socket.socket]:
        with socket.socket(socket.AF_UNIX) as engine:
            engine.connect(self._engine)
            yield engine

    def _serve(self, client: socket.socket) -> None:
        with client, self._connected() as engine:
            self._open |= {client, engine}
            with contextlib.suppress(OSError, ValueError):
                head = _head(client)
                asked = b" ".join(head.split(b" ", 2)[:2]).decode()
                self.asked.append(asked)
                lie = next((lie for pattern, lie in self.lies if pattern.search(asked)), honest)
                lie(client, engine, head)
            self._open -= {client, engine}
            for end in (client, engine):
                with contextlib.suppress(OSError):  # else it stays open while a thread reads it
                    end.shutdown(socket.SHUT_RDWR)


def _head(client: socket.socket) -> bytes:
    """The request's head, and what came with it; the connection ends with its answer."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = client.recv(_CHUNK)
        if not more:
            raise ValueError
        data += more
    return data.replace(b"Connection: keep-alive", b"Connection: close")
