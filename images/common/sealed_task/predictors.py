"""The scorer's side of a predictor: open a fresh container, ask, get checked answers."""

from collections import deque
from collections.abc import Iterable
from types import TracebackType
from typing import Any, BinaryIO, Self, overload

import numpy as np
from numpy.typing import NDArray

from sealed_task import frames, values
from sealed_task.expect import Array, Expect, Text, to_plain
from sealed_task.values import Value

PIPELINE_BYTES = 1 << 20
"""`ask_all` has at most this much of questions and answers under way at once."""


class Predictors:
    """Opens predictors: fresh containers that answer through the candidate's `load`.

    `rng` is fresh randomness from the operating system of the scorer's container; nothing that a
    candidate can see depends on it before the answer that it decides about is given.
    """

    def __init__(self, requests: BinaryIO, replies: BinaryIO) -> None:
        self._requests = requests
        self._replies = replies
        self.rng = np.random.default_rng()

    def open(self, *, baseline: bool = False) -> "Predictor":
        """A fresh predictor with the candidate, or with the task's own `train.py`.

        One predictor of the candidate lives at a time: opening the next ends the one before, and
        its death is confirmed first. A baseline predictor may live beside it.
        """
        frames.write(self._requests, frames.Kind.OPEN, b"\1" if baseline else b"\0")
        _, payload, _ = _expect(self._replies, frames.Kind.OPENED)
        return Predictor(int.from_bytes(payload, "little"), self._requests, self._replies)


class Predictor:
    """One predictor. A context manager: leaving it ends the container."""

    def __init__(self, number: int, requests: BinaryIO, replies: BinaryIO) -> None:
        self._number = number
        self._requests = requests
        self._replies = replies

    @overload
    def ask(self, question: Value, expect: Array) -> NDArray[Any]: ...
    @overload
    def ask(self, question: Value, expect: Text) -> str: ...
    def ask(self, question: Value, expect: Expect) -> Any:
        """Ask one question; the answer is final before the next. Raises `Invalid`."""
        self._send(question, expect)
        return self._receive(expect)[0]

    @overload
    def ask_all(self, questions: Iterable[Value], expect: Array) -> list[NDArray[Any]]: ...
    @overload
    def ask_all(self, questions: Iterable[Value], expect: Text) -> list[str]: ...
    def ask_all(self, questions: Iterable[Value], expect: Expect) -> list[Any]:
        """Ask many questions, pipelined; answers in the order of the questions. Raises `Invalid`.

        A predictor may see later questions before it answers earlier ones: where the next
        question gives an answer away, use `ask`.
        """
        answers: list[Any] = []
        under_way: deque[int] = deque()
        bytes_under_way = 0
        for question in questions:
            under_way.append(self._send(question, expect) + expect.nbytes)
            bytes_under_way += under_way[-1]
            while bytes_under_way > PIPELINE_BYTES:
                answers.append(self._receive(expect)[0])
                bytes_under_way -= under_way.popleft()
        answers.extend(self._receive(expect)[0] for _ in under_way)
        return answers

    @overload
    def ask_timed(self, question: Value, expect: Array) -> tuple[NDArray[Any], float]: ...
    @overload
    def ask_timed(self, question: Value, expect: Text) -> tuple[str, float]: ...
    def ask_timed(self, question: Value, expect: Expect) -> tuple[Any, float]:
        """The answer, and its seconds by the sandbox's clock, the other predictors frozen."""
        self._send(question, expect, timed=True)
        return self._receive(expect)

    def close(self) -> None:
        """End the predictor; its death is confirmed before the sandbox goes on."""
        frames.write(self._requests, frames.Kind.CLOSE, self._number.to_bytes(4, "little"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if fault is None:
            self.close()

    def _send(self, question: Value, expect: Expect, timed: bool = False) -> int:
        head = frames.ASK.pack(self._number, expect.nbytes, timed)
        payload = values.encode([to_plain(expect), question])
        frames.write(self._requests, frames.Kind.ASK, head + payload)
        return len(payload)

    def _receive(self, expect: Expect) -> tuple[Any, float]:
        _, payload, _ = _expect(self._replies, frames.Kind.REPLY)
        (seconds,) = frames.REPLY.unpack_from(payload)
        return expect.unpack(payload[frames.REPLY.size :]), seconds


def _expect(stream: BinaryIO, kind: frames.Kind) -> tuple[int, bytes, int]:
    frame = frames.read(stream)
    if frame[0] != kind:
        raise frames.BrokenFrame(f"frame {frame[0]} where {kind.name} was due")
    return frame
