"""Forging the score: what a candidate prints, patches, answers or sends is never its score."""

import math
import re

import numpy as np
import pytest

from sandbox import limits
from sandbox.api import Outcome, Task
from sandbox.containers.streams import FrameReader
from sealed_task import Array, Invalid, Predictors
from tests.support.attacks import attack, first_now, gained
from tests.support.candidates import Bench
from tests.support.flips import without_defence
from tests.support.naive_loop import NaiveLoop
from tests.support.predictors import Loopback
from tests.support.tasks import TINY, load_module

pytestmark = [pytest.mark.docker, pytest.mark.attack]


# ---- what is printed, patched and returned: against the loop as it is commonly built -----------


@pytest.mark.claim("score-is-the-scorers")
@pytest.mark.parametrize("name", ["fake_score_line", "patched_prepare", "evil_answer"])
def test_a_score_cannot_be_forged_in_the_candidates_process(bench: Bench, name: str) -> None:
    """Printed lines, patched scorers and objects with own arithmetic change no score."""
    result = bench.run(attack(name))
    assert result.outcome is Outcome.scored
    assert not gained(result.score)
    assert not gained(result.rehearsal_score)


FORGERIES = ["fake_score_line", "patched_prepare", "evil_answer", "polite_exit", "crash_text"]


@pytest.mark.parametrize("name", first_now(*FORGERIES))
def test_control_the_naive_loop_takes_the_forged_score(naive: NaiveLoop, name: str) -> None:
    """Where agent code, evaluation and score share a process, the forged score is kept."""
    assert naive.gain(name).startswith("score ")


@pytest.mark.claim("score-is-the-scorers")
@pytest.mark.parametrize("way", ["exit", "skip"])
def test_a_polite_exit_is_no_score(bench: Bench, way: str) -> None:
    """Leaving with status 0, or by an exception that test runners excuse, is a crash."""
    result = bench.run(attack("polite_exit", WAY=way))
    assert (result.outcome, result.score) == (Outcome.crash, None)


@pytest.mark.claim("score-is-the-scorers")
def test_a_crash_cannot_talk_itself_into_a_score(bench: Bench) -> None:
    """A traceback that reads like a result is a crash with one line of reason."""
    result = bench.run(attack("crash_text"))
    assert (result.outcome, result.score) == (Outcome.crash, None)
    assert "\n" not in result.reason


# ---- answers -----------------------------------------------------------------------------------


@pytest.mark.claim("answers-are-checked")
@pytest.mark.parametrize("answer", ["nan", "below", "one", "narrow"])
def test_a_wrong_answer_is_invalid(bench: Bench, answer: str) -> None:
    """Type, shape and range are the scorer's, and hold for bytes that no runner has seen."""
    result = bench.run(attack("bad_answer", ANSWER=answer))
    assert (result.outcome, result.score) == (Outcome.invalid, None)


def test_control_the_naive_loop_keeps_nan(naive: NaiveLoop) -> None:
    """There, NaN is not worse than the best, and is kept."""
    assert naive.gain("bad_answer").startswith("score nan")


def test_control_without_unpack_one_element_is_scored(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Without the check of an answer's bytes, one element broadcasts to all rows."""
    data = tmp_path_factory.mktemp("tiny")
    for name in ("x", "y"):
        np.save(data / f"{name}.npy", np.ones((64, 2) if name == "x" else 64))
    prepare = load_module(TINY / "prepare.py")
    monkeypatch.setattr(Array, "pack", lambda _, answer: answer.tobytes())
    with pytest.raises(Invalid):
        prepare.score(data, _playing(lambda _: np.ones(1)))
    monkeypatch.setattr(Array, "unpack", lambda _, payload: np.frombuffer(payload))
    assert prepare.score(data, _playing(lambda _: np.ones(1))).values.mean() == 0


def _playing(answer: object) -> Predictors:
    loopback = Loopback(answer)  # type: ignore[arg-type]
    return Predictors(loopback.requests, loopback.replies)


@pytest.mark.claim("no-score-but-finite")
def test_a_score_is_finite(bench: Bench, rooms: Task) -> None:
    """Finite values whose mean overflows are no score."""
    result = bench.run(attack("infinite_mean"), rooms)
    assert (result.outcome, result.score) == (Outcome.invalid, None)


def test_control_without_the_bound_the_mean_is_infinite(bench: Bench, rooms: Task) -> None:
    """Without the bound of a value the mean of finite values is infinite, and scored."""
    without_defence(bench, "infinite_mean")
    with np.errstate(over="ignore"):
        result = bench.run(attack("infinite_mean"), rooms)
    assert (result.outcome, result.score) == (Outcome.scored, math.inf)


# ---- the protocol ------------------------------------------------------------------------------


@pytest.mark.claim("frames-cannot-be-forged")
def test_a_trainer_cannot_send_a_score(bench: Bench) -> None:
    """Frames of the scorer, lies and garbage on every descriptor leave the score as is."""
    result = bench.run(attack("protocol_noise"))
    assert result.outcome in (Outcome.scored, Outcome.crash)
    assert not gained(result.score)


def test_control_believing_frames_from_anyone_takes_the_score(bench: Bench) -> None:
    """A sandbox that takes a SCORE frame from whichever stream it comes on takes this one."""
    without_defence(bench, "protocol_noise")
    assert gained(bench.run(attack("protocol_noise")).score)


@pytest.mark.claim("frames-cannot-be-forged")
def test_an_answer_without_its_question_is_invalid(bench: Bench, rooms: Task) -> None:
    """An answer must repeat its question's nonce, which nobody can guess."""
    result = bench.run(attack("forged_answer"), rooms)
    assert (result.outcome, result.score) == (Outcome.invalid, None)
    assert "no question asked" in result.reason


def test_control_a_guessed_nonce_lets_the_answer_pass(bench: Bench, rooms: Task) -> None:
    """With a nonce that can be guessed, the answer that came before its question is scored."""
    without_defence(bench, "forged_answer")
    assert bench.run(attack("forged_answer"), rooms).outcome is Outcome.scored


@pytest.mark.claim("host-reads-with-a-cap")
def test_a_length_that_lies_is_refused_at_once(bench: Bench, rooms: Task) -> None:
    """Of an answer that says it is huge, the sandbox holds no more than was asked for."""
    held = _most_held(bench)
    result = bench.run(attack("lying_length"), rooms)
    assert result.outcome is Outcome.invalid
    assert held[0] < 1 << 20


def test_control_without_the_bound_the_sandbox_collects_it(bench: Bench, rooms: Task) -> None:
    """Without the receiver's own bound, everything that is sent is held."""
    held = _most_held(bench)
    without_defence(bench, "lying_length")
    bench.run(attack("lying_length"), rooms)
    assert held[0] == 48 << 20


def _most_held(bench: Bench) -> list[int]:
    """The most bytes that any frame reader of this process has held so far."""
    most, feed = [0], FrameReader.feed

    def noted(self: FrameReader, data: bytes | memoryview) -> object:
        try:
            return feed(self, data)
        finally:
            most[0] = max(most[0], len(self._payload))

    bench.patch.setattr(FrameReader, "feed", noted)
    return most


# ---- what people and agents read ---------------------------------------------------------------

INVISIBLE = re.compile(r"[^\n\t\x20-\x7e\xa0-\u036f…\ufffd]")
"""What the attack's log must not have; it writes nothing else that could be read."""


@pytest.mark.claim("logs-are-clean")
def test_a_log_does_nothing_to_its_reader(bench: Bench) -> None:
    """Escapes, links, bidi marks, NUL and endless lines do not reach who reads the log."""
    result = bench.run(attack("dirty_log"))
    assert result.outcome is Outcome.scored
    assert "red" in result.log
    assert "the end" in result.log
    assert not INVISIBLE.findall(result.log)
    assert max(map(len, result.log.split("\n"))) < 2100


def test_control_an_unclean_log_reaches_its_reader(bench: Bench) -> None:
    """Without the cleaning all of it comes through."""
    without_defence(bench, "dirty_log")
    result = bench.run(attack("dirty_log"))
    assert {"\x1b", "\u202e", "\x00"} <= set(INVISIBLE.findall(result.log))


@pytest.mark.claim("logs-are-clean")
def test_a_reason_is_one_line(bench: Bench) -> None:
    """A reason makes no rows of its own where reasons are listed."""
    result = bench.run(attack("rows_in_reason"))
    assert result.outcome is Outcome.invalid
    assert result.reason.startswith("bad 7 kept")
    assert not INVISIBLE.findall(result.reason)
    assert len(result.reason.splitlines()) == 1
    assert "\t" not in result.reason


def test_control_a_raw_reason_makes_rows(bench: Bench) -> None:
    """Without that the reason has the rows."""
    without_defence(bench, "rows_in_reason")
    assert len(bench.run(attack("rows_in_reason")).reason.splitlines()) > 5


# ---- whose fault -------------------------------------------------------------------------------


@pytest.mark.claim("losses-are-the-candidates")
def test_a_loss_is_the_candidates_own(bench: Bench) -> None:
    """A candidate that kills all that it can is not tried again."""
    result = bench.run(attack("begs_retry"))
    assert (result.outcome, result.attempts) == (Outcome.crash, 1)


def test_control_a_failed_probe_makes_it_ours(bench: Bench) -> None:
    """Where the trusted probe fails too, the same loss is an error, which is what is retried."""
    bench.patch.setattr(limits, "ATTEMPTS", 1)
    without_defence(bench, "begs_retry")
    result = bench.run(attack("begs_retry"))
    assert (result.outcome, result.attempts) == (Outcome.error, 1)
