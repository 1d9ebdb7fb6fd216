"""The relay: questions from the scorer to predictors, answers back, the clock in between.

It knows frames, not values. One loop, no threads: whatever a predictor does (nothing, garbage,
byte by byte, a flood), the loop ends at the last answer or at a deadline, never at an end of file.
One predictor of the candidate is alive at a time; the next opens after its death is confirmed.
"""

import contextlib
import secrets
import selectors
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from sandbox import limits
from sandbox.api import Outcome
from sandbox.containers.container import RoleContainer
from sandbox.containers.streams import Frame, Stream
from sandbox.engine_errors import Gone
from sandbox.errors import EngineUnavailable
from sandbox.log_reader import last_line
from sandbox.trials.transcript import Transcript
from sealed_task import frames
from sealed_task.frames import Kind


class CandidateFailed(Exception):
    """The candidate's trial ends here, with this outcome and reason."""

    def __init__(self, outcome: Outcome, reason: str) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.reason = reason


class ScorerFailed(Exception):
    """The scorer ended or its code failed: our own or the task's fault."""


@dataclass(frozen=True)
class Budgets:
    """Seconds for `load`, and for all answers of one scoring."""

    load: float
    scoring: float


@dataclass
class _Question:
    nonce: int
    most: int
    timed: bool
    sent: float


@dataclass
class _Predictor:
    container: RoleContainer
    baseline: bool
    pending: deque[_Question] = field(default_factory=deque)

    @property
    def stream(self) -> Stream:
        return self.container.stream


OpenPredictor = Callable[[bool], RoleContainer]
"""Gives a fresh predictor that waits; True asks for the baseline."""


class Relay:
    """Runs one `score` of the scorer on one split."""

    def __init__(
        self,
        scorer: RoleContainer,
        open_predictor: OpenPredictor,
        candidates: Callable[[bool], bytes],
        budgets: Budgets,
        wake: Callable[[], None],
        transcript: Transcript,
    ) -> None:
        self._scorer = scorer.stream
        self._scorer_log = scorer.log
        self._open_predictor = open_predictor
        self._candidates = candidates
        self._budgets = budgets
        self._wake = wake
        self._transcript = transcript
        self._predictors: dict[int, _Predictor] = {}
        self._opened = 0
        self._answering_since: float | None = None
        self._answering = 0.0
        self._not_the_scorers = 0.0
        self._selector = selectors.DefaultSelector()
        self.current: RoleContainer | None = None
        """The candidate's predictor that was opened last; its log is the rehearsal's."""

    def score(self, split: str) -> Frame:
        """The scorer's last word on this split: SCORE, INVALID or DISHONEST.

        Raises `CandidateFailed`, `ScorerFailed`, and what opening a container raises. All
        predictors are confirmed dead when it returns.
        """
        self._scorer.reader.most = limits.SCORE
        self._tell(Kind.SPLIT, split.encode())
        self._selector.register(self._scorer, selectors.EVENT_READ)
        started = time.monotonic()
        try:
            while True:
                while frame := self._scorer.next_frame():
                    self._transcript.add(b"<", frame.kind, frame.payload)
                    if frame.kind in (Kind.SCORE, Kind.INVALID, Kind.DISHONEST):
                        return frame
                    self._request(frame)
                self._check_scorer(started)
                self._step()
        finally:
            self._selector.close()
            for number in list(self._predictors):
                self._end(number)

    def _tell(self, kind: Kind, *parts: bytes | memoryview) -> None:
        """Send the scorer a frame."""
        self._scorer.send(kind, *parts)
        self._transcript.add(b">", kind, *parts)

    # ---- one turn --------------------------------------------------------------------------

    def _step(self) -> None:
        for stream in self._streams():
            events = selectors.EVENT_READ
            if stream.wants_to_send:
                events |= selectors.EVENT_WRITE
            if self._selector.get_key(stream).events != events:
                self._selector.modify(stream, events)
        for key, events in self._selector.select(self._patience()):
            stream = cast(Stream, key.fileobj)
            if events & selectors.EVENT_WRITE:
                stream.flush()
            if events & selectors.EVENT_READ:
                stream.receive()
        for predictor in list(self._predictors.values()):
            self._answers(predictor)
        self._wake()

    def _streams(self) -> list[Stream]:
        return [self._scorer, *(p.stream for p in self._predictors.values())]

    def _patience(self) -> float:
        if self._answering_since is None:
            return 0.25
        spent = self._answering + time.monotonic() - self._answering_since
        if spent >= self._budgets.scoring:
            raise CandidateFailed(
                Outcome.timeout,
                f"the answers took longer than scoring_seconds ({self._budgets.scoring:g} s)",
            )
        return min(0.25, self._budgets.scoring - spent)

    def _check_scorer(self, started: float) -> None:
        if self._scorer.broken or self._scorer.closed:
            raise ScorerFailed(f"the scorer ended: {last_line(self._scorer_log.text())}")
        answering = self._answering
        if self._answering_since is not None:
            answering += time.monotonic() - self._answering_since
        own = time.monotonic() - started - answering - self._not_the_scorers
        if own > limits.SCORER_OWN:
            raise ScorerFailed(f"`score` spent more than {limits.SCORER_OWN} s by itself")

    # ---- what the scorer asks for ----------------------------------------------------------

    def _request(self, frame: Frame) -> None:
        if frame.kind == Kind.ASK:
            self._ask(frame.payload)
        elif frame.kind == Kind.OPEN:
            began = time.monotonic()
            self._open(bytes(frame.payload) == b"\1")
            self._not_the_scorers += time.monotonic() - began
        elif frame.kind == Kind.CLOSE:
            self._end(int.from_bytes(frame.payload, "little"))
        elif frame.kind == Kind.BROKEN:
            raise ScorerFailed(frame.text())
        else:
            raise ScorerFailed(f"the scorer sent a frame of kind {frame.kind}")

    def _open(self, baseline: bool) -> None:
        for number, other in list(self._predictors.items()):
            if other.baseline == baseline:
                self._end(number)
        container = self._open_predictor(baseline)
        if not baseline:
            self.current = container
        predictor = _Predictor(container, baseline)
        self._opened += 1
        self._predictors[self._opened] = predictor
        ceiling = self._budgets.load + self._budgets.scoring + limits.SCORER_OWN
        began = container.release(ceiling, self._candidates(baseline))
        frame = container.wait_frame(began + self._budgets.load, self._wake)
        if frame is None and time.monotonic() >= began + self._budgets.load:
            raise self._blame(
                predictor,
                Outcome.timeout,
                f"`load` took longer than load_seconds ({self._budgets.load:g} s)",
            )
        if frame is None or frame.kind != Kind.LOADED:
            raise self._loss(predictor, "`load` failed")
        self._selector.register(container.stream, selectors.EVENT_READ)
        self._tell(Kind.OPENED, self._opened.to_bytes(4, "little"))

    def _ask(self, payload: memoryview) -> None:
        number, most, timed = frames.ASK.unpack_from(payload)
        predictor = self._predictors.get(number)
        if predictor is None:
            raise ScorerFailed("`score` asked a predictor that it had closed")
        question = _Question(secrets.randbits(64), most, timed, 0.0)
        if timed:
            self._freeze_others(predictor)
        predictor.pending.append(question)
        predictor.stream.reader.most = max(limits.FAULT, *(q.most for q in predictor.pending))
        question.sent = time.monotonic()
        if self._answering_since is None:
            self._answering_since = question.sent
        predictor.stream.send(Kind.QUESTION, payload[frames.ASK.size :], nonce=question.nonce)

    def _freeze_others(self, asked: _Predictor) -> None:
        """Stop every other predictor before the clock starts: confirmed by the engine."""
        began = time.monotonic()
        for other in self._others(asked):
            try:
                other.container.freeze()
            except (Gone, EngineUnavailable):
                raise self._loss(other, "the predictor could not be frozen") from None
        self._not_the_scorers += time.monotonic() - began

    def _thaw_others(self, asked: _Predictor) -> None:
        began = time.monotonic()
        for other in self._others(asked):
            other.container.thaw()
        self._not_the_scorers += time.monotonic() - began

    def _others(self, asked: _Predictor) -> list[_Predictor]:
        return [other for other in self._predictors.values() if other is not asked]

    def _end(self, number: int) -> None:
        predictor = self._predictors.pop(number, None)
        if predictor is None:
            return
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(predictor.stream)
        if predictor.pending:
            predictor.pending.clear()
            self._count_answering()
        predictor.container.kill()

    # ---- what predictors answer ------------------------------------------------------------

    def _answers(self, predictor: _Predictor) -> None:
        stream = predictor.stream
        while frame := stream.next_frame():
            received = time.monotonic()
            question = predictor.pending[0] if predictor.pending else None
            if question is None or frame.nonce != question.nonce:
                raise self._blame(
                    predictor, Outcome.invalid, "an answer that no question asked for"
                )
            if frame.kind == Kind.FAULT:
                text = frame.text()
                raise self._blame(predictor, Outcome.invalid, text)
            if frame.kind != Kind.ANSWER or len(frame.payload) > question.most:
                raise self._blame(predictor, Outcome.invalid, "an answer that is larger than asked")
            predictor.pending.popleft()
            seconds = received - question.sent if question.timed else 0.0
            self._count_answering()
            if question.timed:
                self._thaw_others(predictor)
            self._tell(Kind.REPLY, frames.REPLY.pack(seconds), frame.payload)
        if predictor.container.log.total > limits.LOG_FLOOD:
            raise self._blame(predictor, Outcome.over_output, "the log is a flood")
        if stream.broken:
            raise self._blame(predictor, Outcome.invalid, stream.broken)
        if stream.closed:
            raise self._loss(predictor, "the predictor ended")

    def _count_answering(self) -> None:
        if self._answering_since is None or any(p.pending for p in self._predictors.values()):
            return
        self._answering += time.monotonic() - self._answering_since
        self._answering_since = None

    def _loss(self, predictor: _Predictor, what: str) -> Exception:
        """Whose fault a lost predictor is: after its first byte, the candidate's."""
        container = predictor.container
        if container.log.total > limits.LOG_FLOOD:
            return self._blame(predictor, Outcome.over_output, "the log is a flood")
        if container.stream.broken:
            return self._blame(predictor, Outcome.invalid, container.stream.broken)
        if container.ran_out_of_memory(time.time() - 2 * limits.START):
            return self._blame(
                predictor, Outcome.over_memory, f"over {container.order.memory_mib} MiB"
            )
        detail = last_line(container.log.text())
        return self._blame(predictor, Outcome.crash, f"{what}: {detail}" if detail else what)

    def _blame(self, predictor: _Predictor, outcome: Outcome, reason: str) -> Exception:
        if predictor.baseline:
            return ScorerFailed(f"the baseline's predictor: {outcome}: {reason}")
        return CandidateFailed(outcome, reason[: limits.REASON])
