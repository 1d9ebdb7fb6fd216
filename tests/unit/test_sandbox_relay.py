"""The relay between a scorer and predictors that answer wrongly or not at all, to the byte."""

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sandbox import limits
from sandbox.api import Outcome
from sandbox.trials.relay import Budgets
from sealed_task import Array, Predictors, Text, frames
from sealed_task.frames import Kind
from tests.support.played import Program, Wire, answering, load
from tests.unit.relay_room import HASTY, ONE, Make, Room, misbehaving

# ---- when all is well -------------------------------------------------------------------------


def test_the_transcript_is_of_all_that_was_said(
    room: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same questions and answers have one hash, another answer another; it is keyed."""

    def said(factor: float) -> str:
        made = room(None, answering(lambda question: question * factor))
        made.score()
        return made.transcript.digest()

    assert said(2) != said(2), "no two trials have one key"
    monkeypatch.setattr("sandbox.trials.transcript.secrets.token_hex", lambda size: "00" * size)
    assert said(2) == said(2)
    assert said(2) != said(3)


def test_questions_and_answers_pass(room: Make) -> None:
    """Questions reach the predictor as they were sent, and answers the scorer, in order."""

    def score(predictors: Predictors) -> bytes:
        with predictors.open() as predictor:
            text = predictor.ask({"x": [1, "two", None]}, Text(100))
            many = predictor.ask_all((np.full(3, n) for n in range(50)), Array("i8", (3,)))
        return text.encode() + b"|" + np.concatenate(many).tobytes()

    seen: list[Any] = []

    def answer(question: Any) -> Any:
        seen.append(question)
        return str(question) if isinstance(question, dict) else question * 2

    made = room(score, answering(answer))
    frame = made.score()
    text, _, numbers = bytes(frame.payload).partition(b"|")
    assert frame.kind == Kind.SCORE
    assert text == b"{'x': [1, 'two', None]}"
    assert np.frombuffer(numbers, "i8").tolist() == [2 * n for n in range(50) for _ in range(3)]
    assert len(seen) == 51


def test_large_answers_pass(room: Make) -> None:
    """Answers of many reads, several under way, arrive whole."""
    size = 1 << 18

    def score(predictors: Predictors) -> bytes:
        with predictors.open() as predictor:
            found = predictor.ask_all((float(n) for n in range(6)), Array("f8", (size,)))
        return np.array([array.mean() for array in found]).tobytes()

    frame = room(score, answering(lambda n: np.full(size, n))).score()
    assert np.frombuffer(frame.payload).tolist() == [0, 1, 2, 3, 4, 5]


def test_a_predictor_gets_candidate_and_timer(room: Make) -> None:
    """It is told the candidate, or the baseline, once, under a timer of everything it may take."""
    told: list[bytes] = []

    def score(predictors: Predictors) -> bytes:
        predictors.open()
        predictors.open(baseline=True)
        return b""

    made = room(score, answering(abs, told), answering(abs, told))
    made.score(Budgets(load=3, scoring=4))
    assert told == [b"the candidate", b"the baseline"]
    ceiling = 3 + 4 + limits.SCORER_OWN + limits.TIMER_GRACE
    assert made.played.armed("predictor-1") == f"{ceiling:.3f}\n".encode()
    assert made.relay.current is not None
    assert made.relay.current.id == "predictor-1"


@pytest.mark.parametrize("kind", [Kind.INVALID, Kind.DISHONEST])
def test_the_scorers_last_word_is_handed_on(kind: Kind) -> None:
    """A refusal of the scorer ends the relay as a score does."""

    def scorer(wire: Wire) -> None:
        wire.write(Kind.READY)
        wire.read()
        wire.write(kind, b"because")
        wire.read()

    made = Room(scorer, [])
    frame = made.score()
    assert (frame.kind, frame.text()) == (kind, "because")
    made.close()


def test_one_scorer_scores_twice(room: Make) -> None:
    """Rehearsal and sealed scoring use one scorer, and a fresh predictor each."""
    made = room(None, answering(lambda x: x), answering(lambda x: -x))
    first, second = (np.frombuffer(made.score().payload)[0] for _ in range(2))
    assert (first, second) == (2.0, -2.0)


# ---- predictors that answer wrongly -----------------------------------------------------------


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (lambda w, n: w.write(Kind.ANSWER, b"\0" * 8, n ^ 1), "no question"),
        (lambda w, n: w.write(Kind.ANSWER, b"\0" * 8, 0), "no question"),
        (lambda w, n: [w.write(Kind.ANSWER, b"\0" * 8, n) for _ in range(2)], "no question"),
        (lambda w, n: w.write(Kind.DONE, b"", n), "larger"),
        (lambda w, n: w.write(Kind.SCORE, b"\0" * 8, n), "larger"),
        (lambda w, n: w.write(Kind.REPLY, b"\0" * 8, n), "larger"),
        (lambda w, n: w.write(Kind.ANSWER, b"\0" * 9, n), "larger"),
        (lambda w, n: w.write(Kind.ANSWER, b"\0" * (limits.FAULT + 1), n), "at most"),
        (lambda w, n: w.out(frames.HEADER.pack(b"sF", Kind.ANSWER, 0, 2**32 - 1, n)), "at most"),
        (lambda w, n: w.out(b"score: 0.0000000"), "no frame"),
        (lambda w, n: w.write(Kind.FAULT, b"the answer has shape (2,)", n), "shape"),
    ],
    ids=["other-nonce", "no-nonce", "twice", "done", "score", "reply", "one-byte-more", "large",
         "lying-length", "printed", "fault"],
)  # fmt: skip
def test_an_answer_that_is_none_is_invalid(
    room: Make, act: Callable[[Wire, int], None], says: str
) -> None:
    """Whatever a predictor says but the one answer to the one question ends the trial."""

    def score(predictors: Predictors) -> bytes:
        predictor = predictors.open()
        predictor.ask(1.0, ONE)
        predictor.ask(1.0, ONE)
        return b""

    assert says in room(score, misbehaving(act)).fails(Outcome.invalid)


def test_an_answer_nobody_asked_for_is_invalid(room: Make) -> None:
    """A predictor that speaks before it is asked is not waited for."""

    over = threading.Event()

    def score(predictors: Predictors) -> bytes:
        predictors.open()
        over.wait(20)
        return b""

    def program(wire: Wire) -> None:
        load(wire)
        wire.write(Kind.ANSWER, b"", 0)
        wire.read()

    made = room(score, program)
    assert "no question" in made.fails(Outcome.invalid)
    assert made.seconds < 10
    over.set()


def test_each_answer_is_held_to_its_own_question(room: Make) -> None:
    """While a large answer is due, the one to a small question may still not be large."""

    def score(predictors: Predictors) -> bytes:
        predictor = predictors.open()
        predictor._send(1.0, ONE)
        predictor._send(2.0, Array("f8", (1000,)))
        predictor._receive(ONE)
        return b""

    def program(wire: Wire) -> None:
        load(wire)
        nonces = [wire.read()[2] for _ in range(2)]
        wire.write(Kind.ANSWER, b"\0" * 8000, nonces[0])
        wire.read()

    assert "larger" in room(score, program).fails(Outcome.invalid)


def test_answers_out_of_order_are_invalid(room: Make) -> None:
    """Pipelined questions are answered one after the other: a nonce is not picked from several."""

    def score(predictors: Predictors) -> bytes:
        predictors.open().ask_all([1.0, 2.0], ONE)
        return b""

    def program(wire: Wire) -> None:
        load(wire)
        nonces = [wire.read()[2] for _ in range(2)]
        wire.write(Kind.ANSWER, b"\0" * 8, nonces[1])
        wire.read()

    assert "no question" in room(score, program).fails(Outcome.invalid)


def test_a_long_fault_is_cut(room: Make) -> None:
    """Why a predictor can't answer is told, in no more than a reason may have."""
    program = misbehaving(lambda w, n: w.write(Kind.FAULT, b"y" * limits.FAULT, n))
    assert room(None, program).fails(Outcome.invalid) == "y" * limits.REASON


# ---- predictors that do not answer ------------------------------------------------------------


def test_silence_is_a_timeout(room: Make) -> None:
    """A predictor that does not answer spends scoring_seconds, and not much more."""
    made = room(None, misbehaving(lambda w, n: None))
    assert "scoring_seconds (0.4 s)" in made.fails(Outcome.timeout, HASTY)
    assert 0.4 <= made.seconds < 3


def test_byte_by_byte_is_a_timeout(room: Make) -> None:
    """An answer that trickles in gains no time by being under way."""

    def act(wire: Wire, nonce: int) -> None:
        for byte in frames.pack(Kind.ANSWER, b"\0" * 8, nonce) * 100:
            wire.out(bytes([byte]))
            time.sleep(0.05)

    made = room(None, misbehaving(act))
    made.fails(Outcome.timeout, HASTY)
    assert 0.4 <= made.seconds < 3


def test_a_predictor_that_does_not_read_is_a_timeout(room: Make) -> None:
    """Questions that nobody takes block nothing but their own predictor."""

    def score(predictors: Predictors) -> bytes:
        predictors.open().ask(np.zeros(1 << 21), ONE)
        return b""

    def program(wire: Wire) -> None:
        load(wire)
        time.sleep(1.5)

    made = room(score, program)
    made.fails(Outcome.timeout, HASTY)
    assert made.seconds < 3


def test_many_small_delays_add_up(room: Make) -> None:
    """scoring_seconds are for all answers of a score together."""

    def score(predictors: Predictors) -> bytes:
        predictor = predictors.open()
        for _ in range(100):
            predictor.ask(1.0, ONE)
        return b""

    def slowly(question: float) -> float:
        time.sleep(0.1)
        return question

    made = room(score, answering(slowly))
    made.fails(Outcome.timeout, HASTY)
    assert made.seconds < 4


def test_the_scorers_own_time_is_not_the_predictors(room: Make) -> None:
    """While nothing is asked, the candidate's seconds do not run."""

    def score(predictors: Predictors) -> bytes:
        with predictors.open() as predictor:
            for _ in range(2):
                time.sleep(0.6)
                predictor.ask(1.0, ONE)
        time.sleep(0.6)
        return b"done"

    made = room(score, answering(lambda x: x))
    assert bytes(made.score(Budgets(load=30, scoring=1.0)).payload) == b"done"
    assert made.seconds > 1.8


def test_a_slow_load_is_a_timeout(room: Make) -> None:
    """`load` has seconds of its own, however it spends them."""

    def program(wire: Wire) -> None:
        wire.write(Kind.READY)
        wire.read()
        for _ in range(40):
            wire.err(b"still loading\n")
            time.sleep(0.05)

    made = room(None, program)
    assert "load_seconds (0.4 s)" in made.fails(Outcome.timeout, HASTY)
    assert 0.4 <= made.seconds < 3


def test_a_load_that_says_something_else_failed(room: Make) -> None:
    """Only LOADED is the end of `load`: no other frame, nor garbage, passes for it."""

    def says(data: bytes) -> Program:
        def program(wire: Wire) -> None:
            wire.write(Kind.READY)
            wire.read()
            wire.out(data)
            wire.read()

        return program

    room(None, says(frames.pack(Kind.DONE))).fails(Outcome.crash)
    assert "no frame" in room(None, says(b"LOADED, really!!")).fails(Outcome.invalid)
    assert "at most 0" in room(None, says(frames.pack(Kind.LOADED, b"x"))).fails(Outcome.invalid)
