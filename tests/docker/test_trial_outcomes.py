"""Each way a trial can end, on a real engine: a candidate for every outcome."""

import math
import os
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from sandbox import limits
from sandbox.api import Outcome, Task, TrialRequest, TrialResult
from sandbox.service import Service
from sandbox.trials.relay import CandidateFailed, Relay
from sandbox.trials.trial import Scored, _Trial
from tests.conftest import TINY
from tests.support.candidates import Bench
from tests.support.files import task_files

pytestmark = pytest.mark.docker

TASKS = Path(__file__).parents[1] / "tasks"


@dataclass(frozen=True)
class Candidate:
    """A candidate of the tiny task that works, with more statements at four places."""

    before: str = "pass"
    """At the beginning of `train`."""
    after: str = "pass"
    """At its end, with the artifact written."""
    load: str = "pass"
    answer: str = "pass"
    """In the function that answers, where the question is `x`."""

    def __str__(self) -> str:
        return f"""\
import os, sys, time
import numpy as np

def train(data, artifact, seed, seconds):
    {self.before}
    x, y = (np.load(data / "train" / f"{{name}}.npy") for name in "xy")
    weights, *_ = np.linalg.lstsq(np.column_stack((x, np.ones(len(x)))), y, rcond=None)
    np.save(artifact / "weights.npy", weights)
    {self.after}

def load(artifact):
    {self.load}
    weights = np.load(artifact / "weights.npy")

    def answer(x):
        {self.answer}
        return x @ weights[:2] + weights[2]

    return answer
"""


@pytest.fixture(scope="module")
def hasty(service: Service, tiny: Task) -> Task:
    """The tiny task with a second for `load`, and one for the answers."""
    program = (TINY / "program.md").read_text()
    program = program.replace("load_seconds: 5", "load_seconds: 1.5")
    program = program.replace("scoring_seconds: 5", "scoring_seconds: 1.5")
    return service.prepare(task_files(TINY, program=program))


@pytest.fixture(scope="module")
def dishonest(service: Service) -> Task:
    """The task whose scorer's end the answer decides."""
    return service.prepare(task_files(TASKS / "dishonest"))


def no_score(result: TrialResult, outcome: Outcome) -> str:
    """Check what holds for every trial without a score; returns the reason."""
    assert result.outcome is outcome, result.reason
    assert (result.score, result.examples) == (None, 0)
    assert result.reason
    assert "\n" not in result.reason
    return result.reason


# ---- scored -----------------------------------------------------------------------------------


def test_a_candidate_that_works_is_scored(bench: Bench) -> None:
    """The score is the noise of the labels; the seconds are the trainer's own, not the budget."""
    result = bench.run(str(Candidate(before='print("begun", seconds)')))
    assert (result.outcome, result.reason, result.attempts) == (Outcome.scored, "", 1)
    assert result.score == pytest.approx(0.01, abs=0.01)
    assert result.rehearsal_score == pytest.approx(0.01, abs=0.01)
    assert result.score != result.rehearsal_score
    assert 0 < result.seconds < 1
    assert result.wall_seconds > result.seconds
    assert result.log == "begun 1.0\n"
    assert result.log_bytes == len("begun 1.0\n")


def test_a_failure_in_the_vault_costs_no_score_and_tells_nothing(bench: Bench) -> None:
    """The decision rests on the held-out score; the vault's own score is then none."""
    ask = _Trial._ask

    def failing(self: _Trial, relay: Relay, split: str) -> Scored:
        if split == "vault":
            raise CandidateFailed(Outcome.dishonest, "the audit of the vault")
        return ask(self, relay, split)

    bench.patch.setattr(_Trial, "_ask", failing)
    key = f"vault-{os.getpid()}"
    request = TrialRequest(key=key, task=bench.task.hash, candidate=str(Candidate()), vault=True)
    result = bench.service.run(request)
    assert (result.outcome, result.reason, result.vault_score) == (Outcome.scored, "", None)
    assert result.score == pytest.approx(0.01, abs=0.01)
    assert "audit of the vault" not in said(result)


def test_the_budget_is_reached_with_an_artifact(bench: Bench) -> None:
    """What was written before the budget was over is scored, and the seconds are the budget."""
    result = bench.run(str(Candidate(after="time.sleep(60)")))
    assert result.outcome is Outcome.scored
    assert result.seconds == pytest.approx(1.0, abs=0.05)


def test_a_program_that_ends_itself_with_0_is_scored(bench: Bench) -> None:
    """To leave early is no crash: what counts is what it left."""
    result = bench.run(str(Candidate(after="sys.exit(0)")))
    assert result.outcome is Outcome.scored
    assert result.seconds < 1


# ---- crash ------------------------------------------------------------------------------------

CRASHES = {
    "raises": (str(Candidate(before='raise ValueError("no such luck")')), "no such luck"),
    "exit-3": (str(Candidate(before="sys.exit(3)")), "status 3"),
    "killed": (str(Candidate(before="os.kill(os.getpid(), 9)")), "status 137"),
    "syntax": ("def train(:\n", "SyntaxError"),
    "no-train": ("def load(artifact): ...\n", "no function `train`"),
    "no-load": ("def train(*_): ...\n", "no function `load`"),
    "artifact-full": (
        str(Candidate(before='(artifact / "x").write_bytes(bytes(9 << 20))')),
        "No space left",
    ),
    "load-raises": (str(Candidate(load='raise KeyError("weights")')), "KeyError: 'weights'"),
    "no-artifact": (str(Candidate(after='os.remove(artifact / "weights.npy")')), "weights.npy"),
    "answer-raises": (str(Candidate(answer="1 / 0")), "ZeroDivisionError"),
    "answer-exits": (str(Candidate(answer="os._exit(0)")), "the predictor ended"),
}


@pytest.mark.parametrize("name", CRASHES)
def test_a_crash_says_why(bench: Bench, name: str) -> None:
    """A program that fails in train, load or an answer ends `crash`, with its own last words."""
    candidate, says = CRASHES[name]
    result = bench.run(candidate)
    assert says in no_score(result, Outcome.crash)
    assert result.rehearsal_score is None
    assert "sealed_runner" not in result.log, "our own frames help nobody"


# ---- timeout ----------------------------------------------------------------------------------


def test_a_budget_without_an_artifact_is_a_timeout(bench: Bench) -> None:
    """A budget that leaves nothing to load is `timeout` with what `load` missed."""
    result = bench.run(str(Candidate(before="time.sleep(60)")))
    assert "weights.npy" in no_score(result, Outcome.timeout)
    assert result.seconds == pytest.approx(1.0, abs=0.05)


def test_a_slow_load_is_a_timeout(bench: Bench, hasty: Task) -> None:
    """`load` is no second training budget."""
    result = bench.run(str(Candidate(load="time.sleep(60)")), hasty)
    assert "load_seconds" in no_score(result, Outcome.timeout)
    assert result.wall_seconds < 30


def test_slow_answers_are_a_timeout(bench: Bench, hasty: Task) -> None:
    """The seconds for answers are bounded too."""
    result = bench.run(str(Candidate(answer="time.sleep(60)")), hasty)
    assert "scoring_seconds" in no_score(result, Outcome.timeout)
    assert result.wall_seconds < 30


# ---- too much ---------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["before", "answer"])
def test_a_hog_is_over_memory(bench: Bench, place: str) -> None:
    """A program that the kernel kills for memory is told so, in training and in the rehearsal."""
    result = bench.run(str(Candidate(**{place: 'big = b"x" * (1 << 29)'})))
    assert "128 MiB" in no_score(result, Outcome.over_memory)


@pytest.mark.parametrize("place", ["before", "answer"])
def test_a_flood_is_over_output(bench: Bench, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """A log beyond the bound ends the trial; head and tail of it are kept, the rest is counted."""
    monkeypatch.setattr(limits, "LOG_FLOOD", 2 << 20)
    endless = 'print("begun")\n{0}while True: os.write(2, b"y" * 65536)'
    indent = " " * (8 if place == "answer" else 4)
    result = bench.run(str(Candidate(**{place: endless.format(indent)})))
    assert "flood" in no_score(result, Outcome.over_output)
    assert result.log_bytes > 2 << 20
    assert len(result.log) < limits.LOG_HEAD + limits.LOG_TAIL + 1000
    assert result.log.startswith("begun")
    assert "bytes left out" in result.log
    assert result.wall_seconds < 60


# ---- invalid ----------------------------------------------------------------------------------

INVALID = {
    "shape": ("return np.zeros(3)", "shape (3,), expected (64,)"),
    "nan": ("return np.full(64, np.nan)", "NaN"),
    "range": ("return np.full(64, 1e7)", "above"),
    "kind": ('return "a score of zero"', "not an array"),
}


@pytest.mark.parametrize("name", INVALID)
def test_a_wrong_answer_is_invalid(bench: Bench, name: str) -> None:
    """An answer of another shape, type or range than asked for is refused in its own words."""
    answer, says = INVALID[name]
    assert says in no_score(bench.run(str(Candidate(answer=answer))), Outcome.invalid)


# ---- dishonest, and our own faults ------------------------------------------------------------


def answers(rehearsal: float, held_out: float | str) -> str:
    """A candidate of the dishonest task."""
    train = (TASKS / "dishonest" / "train.py").read_text()
    table = f'{{"rehearsal": {rehearsal}, "held_out": {held_out}}}'
    return train.replace('{"rehearsal": 1.0, "held_out": 1.0}', table)


def said(result: TrialResult) -> str:
    """All that a client hears."""
    return msgspec.json.encode(result).decode()


def test_an_audit_that_fails_is_dishonest(bench: Bench, dishonest: Task) -> None:
    """In the rehearsal the audit's words are public."""
    result = bench.run(answers(-1, 1), dishonest)
    assert "the audit of rehearsal found label" in no_score(result, Outcome.dishonest)
    assert result.rehearsal_score is None


def test_of_a_sealed_audit_only_the_outcome_is_told(bench: Bench, dishonest: Task) -> None:
    """What the audit saw of held-out data stays where it is."""
    result = bench.run(answers(2, -1), dishonest)
    assert no_score(result, Outcome.dishonest) == "dishonest in the sealed scoring"
    assert result.rehearsal_score == 2
    assert "label" not in said(result)


def test_a_sealed_crash_keeps_its_words(bench: Bench, dishonest: Task) -> None:
    """A program that fails on held-out data alone can't say so, in reason or log."""
    train = answers(1, 1).replace("return lambda split:", "return lambda split: print(split) or")
    result = bench.run(train.replace('"held_out"', '"elsewhere"'), dishonest)
    assert no_score(result, Outcome.crash) == "crash in the sealed scoring"
    assert result.log == "rehearsal\n"
    assert "KeyError" not in said(result)


def test_a_scorer_that_fails_is_our_error(bench: Bench, dishonest: Task) -> None:
    """A bug of `score` on held-out data is tried again, ends `error`, and its text stays here."""
    result = bench.run(answers(3, 0), dishonest)
    no_score(result, Outcome.error)
    assert result.attempts == limits.ATTEMPTS == 3
    assert "label" not in said(result)
    assert "Division" not in said(result)
    assert "held_out" not in said(result)


def test_a_score_that_overflows_is_none(bench: Bench, dishonest: Task) -> None:
    """Values whose sum or square would be infinite are no score, though each is finite."""
    assert no_score(bench.run(answers(1, "1.7e308"), dishonest), Outcome.invalid)
    result = bench.run(answers(1, limits.VALUE), dishonest)
    assert result.score is not None
    assert math.isfinite(result.score)


# ---- what the agent may read ------------------------------------------------------------------


def test_sealed_logs_never_appear(bench: Bench) -> None:
    """What an answer function prints is in the log once: of the rehearsal, not of the scoring."""
    result = bench.run(
        str(
            Candidate(
                before='print("training")',
                load='print("loading", file=sys.stderr)',
                answer='print("answering"); os.write(1, b"by hand\\n"); os.write(2, b"to two\\n")',
            )
        )
    )
    assert result.outcome is Outcome.scored
    words = ["training", "loading", "answering", "by hand", "to two"]
    assert sorted(filter(None, result.log.split("\n"))) == sorted(words)
    assert result.log_bytes == sum(len(word) + 1 for word in words)


def test_printed_frames_are_no_frames(bench: Bench) -> None:
    """Bytes of the protocol that a candidate prints go to its log: fd 1 is no way to the scorer."""
    frame = 'b"sF" + bytes([12, 0, 8, 0, 0, 0]) + bytes(16)'
    result = bench.run(
        str(Candidate(before=f"os.write(1, {frame})", answer=f"os.write(1, {frame})"))
    )
    assert result.outcome is Outcome.scored
    assert result.log.count("sF") == 2
