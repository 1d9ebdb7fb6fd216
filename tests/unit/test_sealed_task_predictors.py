"""The scorer's side of a predictor, over a pair of pipes in memory."""

import io
from typing import Any

import numpy as np
import pytest

from sealed_task import Array, Invalid, Predictors, Text, frames
from sealed_task.predictors import PIPELINE_BYTES
from tests.support.predictors import Loopback

NUMBER = Array("f8", (), -100, 100)


def predictors_of(loopback: Loopback) -> Predictors:
    """What a scorer is given."""
    return Predictors(loopback.requests, loopback.replies)


def scripted(*replies: bytes) -> Predictors:
    """Predictors whose other side says these frames, whatever it is asked."""
    return Predictors(io.BytesIO(), io.BytesIO(b"".join(replies)))


def test_a_question_is_answered_before_the_next_is_sent() -> None:
    """With `ask`, an answer is final before the future is in any question."""
    loopback = Loopback(lambda question: float(question) * 2)
    with predictors_of(loopback).open() as predictor:
        answers = [float(predictor.ask(number, NUMBER)) for number in (1, 2, 3)]
    assert answers == [2, 4, 6]
    assert loopback.events == ["open", *["ask", "reply"] * 3, "close"]
    assert loopback.most_under_way == 1


def test_ask_all_returns_answers_in_the_order_of_the_questions() -> None:
    """Pipelined answers belong to their questions."""
    loopback = Loopback(lambda question: question["number"] + 1)
    with predictors_of(loopback).open() as predictor:
        answers = predictor.ask_all(({"number": n} for n in range(50)), NUMBER)
    assert [float(answer) for answer in answers] == [n + 1 for n in range(50)]
    assert [question["number"] for question in loopback.questions] == list(range(50))
    assert loopback.most_under_way > 1


def test_ask_all_keeps_a_bounded_amount_under_way() -> None:
    """However many questions there are, at most the pipeline and one more question are waiting."""
    loopback = Loopback(lambda question: question)
    question = np.zeros(1 << 14)
    with predictors_of(loopback).open() as predictor:
        answers = predictor.ask_all((question for _ in range(60)), Array("f8", (1 << 14,)))
    assert len(answers) == 60
    one = 2 * question.nbytes + 100
    assert PIPELINE_BYTES - one < loopback.most_bytes_under_way <= PIPELINE_BYTES + one


def test_ask_all_asks_one_at_a_time_where_one_fills_the_pipeline() -> None:
    """A question larger than the pipeline is asked alone, and nothing stalls."""
    loopback = Loopback(lambda question: question)
    question = np.zeros(PIPELINE_BYTES // 8)
    with predictors_of(loopback).open() as predictor:
        assert len(predictor.ask_all([question] * 3, Array("f8", question.shape))) == 3
    assert loopback.most_under_way == 1


def test_ask_all_of_nothing_is_nothing() -> None:
    """No question, no answer, no wait."""
    loopback = Loopback(lambda question: question)
    with predictors_of(loopback).open() as predictor:
        assert predictor.ask_all([], NUMBER) == []
    assert loopback.events == ["open", "close"]


def test_a_timed_question_says_so_and_returns_the_clock_of_the_relay() -> None:
    """The seconds come with the reply; neither the scorer's nor the candidate's clock is read."""
    loopback = Loopback(lambda question: "yes")
    with predictors_of(loopback).open() as predictor:
        assert predictor.ask_timed("ready?", Text(3)) == ("yes", Loopback.TIMED_SECONDS)
    assert loopback.events == ["open", "ask timed", "reply", "close"]


def test_baseline_and_candidate_answer_side_by_side() -> None:
    """Two open predictors are told apart by their numbers."""
    loopback = Loopback(lambda question: 1.0, baseline=lambda question: 2.0)
    predictors = predictors_of(loopback)
    with predictors.open() as candidate, predictors.open(baseline=True) as baseline:
        assert float(candidate.ask(None, NUMBER)) == 1
        assert float(baseline.ask(None, NUMBER)) == 2
        assert float(candidate.ask(None, NUMBER)) == 1
    assert loopback.events[:2] == ["open", "open baseline"]
    assert loopback.events[-2:] == ["close", "close"]


def test_a_fault_in_the_scorer_is_not_hidden_by_closing() -> None:
    """Leaving a predictor by an exception lets it through and sends nothing more."""
    loopback = Loopback(lambda question: 1000.0)
    with pytest.raises(Invalid, match="above 100"), predictors_of(loopback).open() as predictor:
        predictor.ask(None, NUMBER)
    assert loopback.events == ["open", "ask", "reply"]


@pytest.mark.parametrize("size", [0, 7, 9, 16])
def test_a_reply_of_another_size_is_invalid(size: int) -> None:
    """One answer can't be short, long or several."""
    reply = frames.pack(frames.Kind.REPLY, frames.REPLY.pack(0.0) + bytes(size))
    predictors = scripted(frames.pack(frames.Kind.OPENED, b"\1\0\0\0"), reply)
    with pytest.raises(Invalid, match=f"{size} bytes, expected 8"):
        predictors.open().ask(None, NUMBER)


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        (frames.pack(frames.Kind.OPENED, b"\2\0\0\0"), frames.BrokenFrame),
        (frames.pack(frames.Kind.SPLIT, b"vault"), frames.BrokenFrame),
        (b"score: 0.0 and sixteen bytes more", frames.BrokenFrame),
        (b"", EOFError),
    ],
    ids=["second opening", "another split", "no frame", "end"],
)
def test_anything_but_a_reply_ends_the_scoring(reply: bytes, fault: Any) -> None:
    """A stream out of step is never read as an answer."""
    predictors = scripted(frames.pack(frames.Kind.OPENED, b"\1\0\0\0"), reply)
    with pytest.raises(fault):
        predictors.open().ask(None, NUMBER)


def test_each_scoring_has_randomness_of_its_own() -> None:
    """`rng` comes from the operating system: two scorings do not draw the same numbers."""
    first, second = scripted().rng, scripted().rng
    assert first.integers(2**62) != second.integers(2**62)
