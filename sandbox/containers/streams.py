"""One stream of the engine, read without blocking: frames from stdout, the log from stderr.

The engine multiplexes both into one connection, in pieces with a head of eight bytes. Stdout is a
sequence of frames (`sealed_task.frames`); a piece that is none makes the stream `broken`, and from
then on its bytes are only counted. Nothing here waits: the callers own the clock.
"""

import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from sandbox.connection import Connection
from sandbox.log_reader import LogReader
from sealed_task import frames

_PIECE = struct.Struct(">B3xI")
_STDERR = 2
_READ = 1 << 18
_READS = 16
"""Reads at a time: who floods a stream must not keep its reader from the clock."""


@dataclass(frozen=True)
class Frame:
    """One message of a runner."""

    kind: int
    payload: memoryview
    nonce: int

    def text(self) -> str:
        """The payload as text, whatever it is."""
        return bytes(self.payload).decode(errors="replace")


class FrameReader:
    """Frames out of bytes in any pieces; no more than `most` bytes of payload are ever held."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._head = bytearray()
        self._header: tuple[int, int, int] | None = None
        self._payload = bytearray()
        self._filled = 0

    def feed(self, data: bytes | memoryview) -> Iterator[Frame]:
        """Take the next bytes, and give the frames they complete; to be read to its end.

        Raises `BrokenFrame` where they break, after the frames before that place: how the bytes
        came in pieces must make no difference.
        """
        data = memoryview(data)
        while data or self._header is not None:
            if self._header is None:
                missing = frames.HEADER.size - len(self._head)
                self._head += data[:missing]
                data = data[missing:]
                if len(self._head) < frames.HEADER.size:
                    break
                self._header = frames.unpack_header(bytes(self._head), self.most)
                self._head.clear()
                self._payload, self._filled = bytearray(self._header[1]), 0
            kind, length, nonce = self._header
            part = data[: length - self._filled]
            self._payload[self._filled : self._filled + len(part)] = part
            self._filled += len(part)
            data = data[len(part) :]
            if self._filled < length:
                break
            self._header = None
            yield Frame(kind, memoryview(self._payload).toreadonly(), nonce)


class Stream:
    """Both directions of one attach or exec. `fileno` makes it fit for a selector."""

    def __init__(self, connection: Connection, log: LogReader, most: int = 0) -> None:
        self._connection = connection
        self._socket = connection.socket
        self.log = log
        self.reader = FrameReader(most)
        self.closed = False
        self.broken = ""
        self._piece: tuple[int, int] | None = None
        self._heads = bytearray()
        self._ready: deque[Frame] = deque()
        self._outbox: deque[memoryview] = deque()
        if connection.first:
            self._demultiplex(memoryview(connection.first))

    def fileno(self) -> int:
        return self._socket.fileno()

    # ---- in --------------------------------------------------------------------------------

    def receive(self) -> None:
        """Read what is there; frames go to `next_frame`, the rest to the log."""
        for _ in range(_READS):
            if self.closed:
                return
            try:
                data = self._socket.recv(_READ)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                data = b""
            if not data:
                self.closed = True
                return
            self._demultiplex(memoryview(data))
            if len(data) < _READ:
                return

    def next_frame(self) -> Frame | None:
        """The next frame that is complete, if any."""
        return self._ready.popleft() if self._ready else None

    def _demultiplex(self, data: memoryview) -> None:
        while data:
            if self._piece is None:
                missing = _PIECE.size - len(self._heads)
                self._heads += data[:missing]
                data = data[missing:]
                if len(self._heads) < _PIECE.size:
                    return
                self._piece = _PIECE.unpack(self._heads)
                self._heads.clear()
            kind, left = self._piece
            part, data = data[:left], data[left:]
            left -= len(part)
            self._piece = (kind, left) if left else None
            if kind == _STDERR:
                self.log.feed(bytes(part))
            elif not self.broken:
                self._frames(part)
            else:
                self.log.total += len(part)  # counted, so that a flood of it ends the run too

    def _frames(self, part: memoryview) -> None:
        try:
            self._ready.extend(self.reader.feed(part))
        except frames.BrokenFrame as fault:
            self.broken = str(fault)
            self.log.total += len(part)
            self.reader = FrameReader(0)

    # ---- out -------------------------------------------------------------------------------

    def send(self, kind: frames.Kind, *parts: bytes | memoryview, nonce: int = 0) -> None:
        """Queue one frame, its payload in parts, and send what the socket takes."""
        length = sum(map(len, parts))
        head = frames.HEADER.pack(frames.MAGIC, kind, 0, length, nonce)
        if length < _READ:
            self._outbox.append(memoryview(b"".join((head, *parts))))
        else:
            self._outbox.append(memoryview(head))
            self._outbox.extend(memoryview(part) for part in parts if len(part))
        self.flush()

    def send_raw(self, data: bytes) -> None:
        """Queue bytes that are no frame: the seconds of the timer."""
        self._outbox.append(memoryview(data))
        self.flush()

    def flush(self) -> None:
        """Send what the socket takes now."""
        while self._outbox and not self.closed:
            try:
                sent = self._socket.send(self._outbox[0])
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self.closed = True
                return
            if sent == len(self._outbox[0]):
                self._outbox.popleft()
            else:
                self._outbox[0] = self._outbox[0][sent:]

    @property
    def wants_to_send(self) -> bool:
        """Whether bytes wait for the socket."""
        return bool(self._outbox) and not self.closed

    def close(self) -> None:
        """Close the connection; safe to call twice."""
        self.closed = True
        self._connection.close()
