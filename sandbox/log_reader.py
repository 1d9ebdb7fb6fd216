"""A candidate's log: read with a cap, cleaned before anyone sees it.

One of the four places where host code meets what agent code wrote. Head and tail are kept, the
rest is counted; nothing is interpreted.
"""

import re
import unicodedata
from collections import deque

from sandbox import limits

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-_])")
_LONGEST_LINE = 2000


class LogReader:
    """Takes bytes in any pieces; memory stays below head plus twice the tail."""

    def __init__(self, head: int = limits.LOG_HEAD, tail: int = limits.LOG_TAIL) -> None:
        self.total = 0
        """All bytes that count against the flood limit, those that are no log included."""
        self._fed = 0
        self._head_size, self._tail_size = head, tail
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._tail_held = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        self.total += len(data)
        self._fed += len(data)
        room = self._head_size - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        data = data[-self._tail_size :]
        if not data:
            return
        self._tail.append(bytes(data))
        self._tail_held += len(data)
        while self._tail_held - len(self._tail[0]) >= self._tail_size:
            self._tail_held -= len(self._tail.popleft())
        if len(self._tail) > 4096:
            joined = b"".join(self._tail)[-self._tail_size :]
            self._tail = deque([joined])
            self._tail_held = len(joined)

    def text(self) -> str:
        """Head and tail as clean text, with a line that counts what is left out between."""
        tail = b"".join(self._tail)[-self._tail_size :]
        left_out = self._fed - len(self._head) - len(tail)
        middle = f"\n[… {left_out} bytes left out …]\n".encode() if left_out else b""
        return clean(bytes(self._head) + middle + tail)


def clean(data: bytes | str) -> str:
    """Text without escapes, control, bidi and other invisible characters; long lines cut."""
    text = data.decode("utf-8", errors="replace") if isinstance(data, bytes) else data
    text = _ESCAPES.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = text.replace("\u2028", "\n").replace("\u2029", "\n")
    text = "".join(c for c in text if c in "\n\t" or unicodedata.category(c)[0] != "C")
    lines = (
        line if len(line) <= _LONGEST_LINE else line[:_LONGEST_LINE] + " […]"
        for line in text.split("\n")
    )
    return "\n".join(lines)


def one_line(text: str) -> str:
    """Clean text on one line, of a reason's length at most."""
    return " ".join(clean(text).split())[: limits.REASON]


def last_line(text: str) -> str:
    """The last line that says something: of a traceback, the error itself."""
    for line in reversed(text.splitlines()):
        if line.strip():
            return line.strip()[: limits.REASON]
    return ""
