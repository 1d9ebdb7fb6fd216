"""Timing: what a candidate may do so that it looks faster than it is, on tasks/speed.

The score is in doublings; every attack computes as the baseline does, so it has earned about 0.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sandbox.api import Outcome, Task, TaskFiles
from sandbox.service import Service
from tests.support.attacks import attack, first_now, lines
from tests.support.candidates import Bench
from tests.support.files import task_files
from tests.support.flips import without_defence
from tests.support.naive_timer import naive_gain
from tests.support.tasks import ROOT, load_module

pytestmark = [pytest.mark.docker, pytest.mark.attack]

SPEED = ROOT / "tasks" / "speed"
TRAIN = (SPEED / "train.py").read_text()
PREPARE = load_module(SPEED / "prepare.py")
NOISE = 0.5
"""What one opening of twelve rounds may be from 0 on a busy machine; a gain is well above it."""

ASKED_TWICE = """
ask_once = compare


def compare(candidate, baseline, pairs, rng):
    ask_once(candidate, baseline, pairs, rng)
    return ask_once(candidate, baseline, pairs, rng)
"""
FIXED_SEED = """
score_freshly = score


def score(data, predictors):
    predictors.rng = np.random.default_rng(0)
    return score_freshly(data, predictors)
"""
LOOKS_AT_ONE = """
def check(answer, right):
    if answer[0] != right[0]:
        raise Invalid("the first distance is wrong")
"""


def files(defect: str = "") -> TaskFiles:
    """The task with one opening, and with what a worse scorer would do."""
    text = (SPEED / "prepare.py").read_text().replace('"held_out": 4', '"held_out": 1')
    return task_files(SPEED, prepare=text + defect)


def wrapped(name: str, **constants: object) -> str:
    """The baseline's text with an attack behind it that wraps its `load`."""
    return TRAIN + "\n\n" + attack(name, **constants)


@pytest.fixture(scope="module")
def speed(service: Service) -> Iterator[Task]:
    """The task, prepared."""
    task = service.prepare(files())
    yield task
    service.forget(task.hash)


@pytest.fixture
def defective(service: Service, request: pytest.FixtureRequest) -> Iterator[Task]:
    """The task with the defect that a test names."""
    task = service.prepare(files(request.param))
    yield task
    service.forget(task.hash)


@pytest.fixture(scope="module")
def questions() -> list[object]:
    """Two rounds, with their answers."""
    rng = np.random.default_rng(1)
    text = [f"The quick brown fox number {number} jumps over a dog." for number in range(50)]
    makers = PREPARE.question_makers(text, rng).values()
    asked = [make() for _ in range(2) for make in makers]
    return [[pairs, PREPARE.distances(pairs).tolist()] for pairs in asked]


# ---- what slows the baseline -------------------------------------------------------------------


@pytest.mark.claim("speed-is-earned")
@pytest.mark.parametrize("how", first_now("processes", "memory", "threads", "daemon"))
def test_hogs_do_not_slow_the_baseline(bench: Bench, speed: Task, how: str, runtime: str) -> None:
    """Threads, children, daemons and streams through memory are frozen while it is timed."""
    result = bench.run(wrapped("idle_hogs", HOW=how), speed)
    assert result.outcome is Outcome.scored, result
    assert result.score is not None
    assert result.score < NOISE
    # gVisor lets anyone set a priority, and schedules by none.
    raised = ["nice" if runtime == "runsc" else "nothing"]
    assert lines(result, "raised") == raised, "no priority and no core is an agent's to take"


@pytest.mark.claim("speed-is-earned")
@pytest.mark.claim("losses-are-the-candidates")
@pytest.mark.slow
def test_a_storm_of_forks_is_frozen_or_lost(bench: Bench, speed: Task) -> None:
    """Processes that come faster than they can be stopped are never timed beside, nor our fault."""
    result = bench.run(wrapped("idle_hogs", HOW="forks"), speed)
    assert result.attempts == 1
    if result.score is None:
        assert result.outcome is Outcome.crash, result
    else:
        assert result.score < NOISE


@pytest.mark.parametrize("how", first_now("processes", "memory", "forks"))
def test_control_without_the_freezer_hogs_gain(bench: Bench, speed: Task, how: str) -> None:
    """Left running beside the baseline, the same processes take half of its core."""
    without_defence(bench, "idle_hogs")
    result = bench.run(wrapped("idle_hogs", HOW=how), speed)
    assert result.score is not None, result
    assert result.score > NOISE


# ---- what is not computed when it is asked -----------------------------------------------------


@pytest.mark.slow
@pytest.mark.claim("speed-is-earned")
@pytest.mark.parametrize("how", ["asked", "foreseen"])
def test_memory_gains_nothing(bench: Bench, speed: Task, how: str) -> None:
    """Neither earlier questions, uncounted ones included, nor `train` have a fresh answer."""
    result = bench.run(wrapped("remembered_answers", HOW=how), speed)
    for score in (result.rehearsal_score, result.score):
        assert score is not None, result
        assert score < NOISE


@pytest.mark.parametrize(
    ("defective", "how"),
    [(ASKED_TWICE, "asked"), (FIXED_SEED, "foreseen")],
    ids=["asked", "foreseen"],
    indirect=["defective"],
)
@pytest.mark.slow
def test_control_known_questions_are_remembered(bench: Bench, defective: Task, how: str) -> None:
    """Asked twice, or drawn from a seed that is known, questions are answered from memory."""
    result = bench.run(wrapped("remembered_answers", HOW=how), defective)
    assert result.rehearsal_score is not None, result
    assert result.rehearsal_score > 1


@pytest.mark.claim("speed-is-earned")
@pytest.mark.parametrize("how", first_now("array", "list", "clock"))
def test_late_results_take_their_time(bench: Bench, speed: Task, how: str) -> None:
    """What computes when it is looked into is looked into before the clock of the sandbox stops."""
    result = bench.run(wrapped("late_results", HOW=how), speed)
    assert result.score is not None, result
    assert result.score < NOISE


@pytest.mark.claim("speed-is-earned")
@pytest.mark.parametrize("how", first_now("thread", "generator"))
def test_promised_results_are_invalid(bench: Bench, speed: Task, how: str) -> None:
    """An answer that is to be filled later was sent as it was, and can't be taken back."""
    result = bench.run(wrapped("late_results", HOW=how), speed)
    assert (result.outcome, result.score) == (Outcome.invalid, None)


@pytest.mark.parametrize("how", ["array", "list", "clock", "thread"])
def test_control_a_timer_around_the_call_believes_promises(
    tmp_path: Path, questions: list[object], how: str
) -> None:
    """In one process, with a clock that stops when the call returns, each of them looks fast."""
    assert naive_gain(tmp_path, wrapped("late_results", HOW=how), TRAIN, questions) > 1


# ---- what is not computed at all ---------------------------------------------------------------


@pytest.mark.claim("speed-is-earned")
@pytest.mark.parametrize("share", first_now(0.01, 0.9))
def test_guesses_are_invalid(bench: Bench, speed: Task, share: float) -> None:
    """Every distance is compared, so that one guess in a hundred is one too many."""
    result = bench.run(wrapped("guessed_distances", SHARE=share), speed)
    assert (result.outcome, result.score) == (Outcome.invalid, None)


@pytest.mark.parametrize("defective", [LOOKS_AT_ONE], ids=["one"], indirect=True)
@pytest.mark.slow
def test_control_a_scorer_that_looks_at_one_pair_believes_guesses(
    bench: Bench, defective: Task
) -> None:
    """Of which most were never computed."""
    result = bench.run(wrapped("guessed_distances", SHARE=0.9), defective)
    assert result.score is not None, result
    assert result.score > 1
