"""The other side of a scorer without containers: a sandbox and its predictors, in memory.

A scorer under test gets the real `Predictors`, and so the real frames, limits and checks; only
what lies between the two pipes is played, by `Loopback`.
"""

import io
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from sealed_task import Predictors, frames, values
from sealed_task.expect import from_plain, set_expected

Answer = Callable[[Any], Any]
"""What `load` returns."""


def local_predictors(answer: Answer, salt: int | None = None) -> Predictors:
    """Predictors that answer with `answer`; with a salt, `rng` is the same each time."""
    loopback = Loopback(answer)
    predictors = Predictors(loopback.requests, loopback.replies)
    if salt is not None:
        predictors.rng = np.random.default_rng(salt)
    return predictors


class Loopback:
    """Reads a scorer's requests and answers a question only when its reply is asked for.

    So a test sees how many questions a scorer sends ahead, and nothing can hang: reading a reply
    that nothing was asked for is an `AssertionError`.
    """

    TIMED_SECONDS = 0.25
    """What every timed answer is said to have taken, the baseline's unless they are given."""

    def __init__(
        self,
        answer: Answer,
        baseline: Answer | None = None,
        baseline_seconds: float = TIMED_SECONDS,
    ) -> None:
        self.requests = _Requests(self._take)
        self.replies = _Replies(self._answer_next)
        self.events: list[str] = []
        """Each `open`, `open baseline`, `ask`, `ask timed`, `reply` and `close`, in order."""
        self.questions: list[Any] = []
        self.most_under_way = 0
        """The most questions that were sent and not answered, at any one time."""
        self.most_bytes_under_way = 0
        """The most bytes of questions and largest answers that were, likewise."""
        self._answers = {False: answer, True: baseline}
        self._seconds = {False: self.TIMED_SECONDS, True: baseline_seconds}
        self._open: dict[int, bool] = {}
        self._opened = 0
        self._waiting: deque[tuple[int, bytes]] = deque()

    def _take(self, kind: int, payload: bytes) -> None:
        if kind == frames.Kind.OPEN:
            baseline = payload == b"\1"
            assert self._answers[baseline] is not None, "this loopback has no baseline"
            self._opened += 1
            self._open[self._opened] = baseline
            self.events.append("open baseline" if baseline else "open")
        elif kind == frames.Kind.CLOSE:
            del self._open[int.from_bytes(payload, "little")]
            self.events.append("close")
            return
        else:
            assert kind == frames.Kind.ASK
            _, _, timed = frames.ASK.unpack_from(payload)
            self.events.append("ask timed" if timed else "ask")
        self._waiting.append((kind, payload))
        asked = [
            len(payload) - frames.ASK.size + frames.ASK.unpack_from(payload)[1]
            for kind, payload in self._waiting
            if kind == frames.Kind.ASK
        ]
        self.most_under_way = max(self.most_under_way, len(asked))
        self.most_bytes_under_way = max(self.most_bytes_under_way, sum(asked))

    def _answer_next(self) -> bytes:
        assert self._waiting, "the scorer waits for a reply that nothing was asked for"
        kind, payload = self._waiting.popleft()
        if kind == frames.Kind.OPEN:
            return frames.pack(frames.Kind.OPENED, self._opened.to_bytes(4, "little"))
        number, most, timed = frames.ASK.unpack_from(payload)
        plain: Any = values.decode(payload[frames.ASK.size :])
        self.questions.append(plain[1])
        baseline = self._open[number]
        answer = self._answers[baseline]
        assert answer is not None
        expect = from_plain(plain[0])
        set_expected(expect)
        data = expect.pack(answer(plain[1]))
        assert len(data) <= most
        self.events.append("reply")
        seconds = self._seconds[baseline] if timed else 0.0
        return frames.pack(frames.Kind.REPLY, frames.REPLY.pack(seconds) + data)


class _Requests(io.BytesIO):
    """Hands every whole frame on as soon as it is flushed."""

    def __init__(self, take: Callable[[int, bytes], None]) -> None:
        super().__init__()
        self._take = take

    def flush(self) -> None:
        stream = io.BytesIO(self.getvalue())
        self.seek(0)
        self.truncate()
        while stream.tell() < len(stream.getvalue()):
            kind, payload, _ = frames.read(stream)
            self._take(kind, payload)


class _Replies(io.BytesIO):
    """Makes the next frame when more is read than there is."""

    def __init__(self, make: Callable[[], bytes]) -> None:
        super().__init__()
        self._make = make
        self._data = b""

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        assert size >= 0, "a scorer knows how much it reads"
        while len(self._data) < size:
            self._data += self._make()
        data, self._data = self._data[:size], self._data[size:]
        return data
