"""A hijacked stream of the engine: what its `attach` and `exec` calls turn into."""

import contextlib
import socket
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Connection:
    """A hijacked stream of the engine: the socket, and bytes that came with the answer's head."""

    socket: socket.socket
    first: bytes
    response: Any
    """Kept: the HTTP library closes the socket when it is collected."""

    def close(self) -> None:
        """Close our end; the engine then closes the container's stdin."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.response.close()
        self.socket.close()


def hijack(stream: Any) -> Connection:
    """The connection behind what docker-py gives: the socket below a buffered reader.

    The reader may hold first bytes already.
    """
    response = stream._response
    raw = getattr(stream, "_sock", stream)
    raw.setblocking(False)
    first: bytes = b""
    buffered = getattr(getattr(response.raw, "_fp", None), "fp", None)
    if buffered is not None and hasattr(buffered, "peek"):
        with contextlib.suppress(BlockingIOError, ValueError):
            first = bytes(buffered.peek())
    return Connection(raw, first, response)
