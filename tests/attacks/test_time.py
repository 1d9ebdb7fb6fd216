"""Time: the budget is the container's life, and `load` and answers have budgets of their own."""

import pytest

from sandbox.api import Outcome, Task
from tests.support.attacks import (
    Deadline,
    attack,
    late_kill,
    late_timer,
    lines,
    number,
)
from tests.support.candidates import Bench
from tests.support.flips import without_defence
from tests.support.naive_loop import NaiveLoop

pytestmark = [pytest.mark.docker, pytest.mark.attack]

PROMPT = 1.5
"""Seconds after the deadline in which all is dead on a busy machine; `make bench` measures it."""


# ---- the budget --------------------------------------------------------------------------------


@pytest.mark.claim("timer-holds")
@pytest.mark.parametrize(
    ("timer", "kill"),
    [(True, True), (True, False), (False, True)],
    ids=["both", "timer-alone", "sandbox-alone"],
)
def test_no_process_outlives_the_budget(
    bench: Bench, deadline: Deadline, timer: bool, kill: bool, runtime: str
) -> None:
    """Daemons that ignore every signal end with the budget, by timer or sandbox alone too."""
    if not timer:
        bench.weaken(late_timer)
    if not kill:
        late_kill(bench.patch)
    result = bench.run(attack("daemon"))
    # Each process costs gVisor's kernel some megabytes, and forty may be too many.
    early = [Outcome.over_memory] if runtime == "runsc" else []
    assert result.outcome in (Outcome.timeout, *early)
    assert deadline.overtime(result) < PROMPT


def test_control_without_timer_and_kill_daemons_live_on(bench: Bench, deadline: Deadline) -> None:
    """With both of them late, the same processes live on after the deadline."""
    without_defence(bench, "daemon")
    assert deadline.overtime(bench.run(attack("daemon"))) > PROMPT


@pytest.mark.claim("timer-holds")
def test_the_timer_cannot_be_touched(bench: Bench, deadline: Deadline, runtime: str) -> None:
    """Agent code can't stop, trace, slow down or feed a process that is not its own."""
    late_kill(bench.patch)
    result = bench.run(attack("stop_timer"))
    assert number(result, "others") >= 2
    # gVisor lets anyone set a priority, and schedules by none.
    moot = " nice" if runtime == "runsc" else "\n"
    assert [line for line in lines(result, "touched") if not line.endswith(moot)] == []
    assert deadline.overtime(result) < PROMPT


def test_control_with_one_uid_the_timer_is_stopped(bench: Bench, deadline: Deadline) -> None:
    """With the timer under the uid of agent code, it is stopped, and a hung sandbox is too late."""
    without_defence(bench, "stop_timer")
    result = bench.run(attack("stop_timer"))
    assert any(line.endswith(" stop") for line in lines(result, "touched"))
    assert deadline.overtime(result) > PROMPT


@pytest.mark.claim("timer-holds")
def test_stopped_clocks_stop_nothing(bench: Bench, deadline: Deadline) -> None:
    """The clocks of the candidate's process do not matter."""
    assert deadline.overtime(bench.run(attack("frozen_clocks"))) < PROMPT


@pytest.mark.slow
def test_control_the_naive_loop_asks_the_stopped_clock(naive: NaiveLoop) -> None:
    """There, the clock that the budget is measured with is the candidate's to stop."""
    assert naive.gain("frozen_clocks").startswith("worked ")


@pytest.mark.claim("seconds-are-counted")
@pytest.mark.parametrize("how", ["frame", "close"])
def test_seconds_of_training_are_counted(bench: Bench, how: str) -> None:
    """Strange frames and closed streams stop no clock: the seconds are those of the trainer."""
    result = bench.run(attack("hidden_seconds", HOW=how))
    assert result.outcome is Outcome.scored
    assert result.seconds >= 0.8


def test_control_a_clock_that_a_frame_stops_counts_too_few(bench: Bench) -> None:
    """With a clock that the first frame stops, seconds of training are hidden."""
    without_defence(bench, "hidden_seconds")
    result = bench.run(attack("hidden_seconds", HOW="frame"))
    assert number(result, "worked") == 1
    assert result.seconds < 0.4


# ---- after the budget --------------------------------------------------------------------------


@pytest.mark.claim("load-is-no-second-budget")
def test_load_is_no_second_training(bench: Bench, rooms: Task) -> None:
    """Training on inside `load` runs into a deadline of its own."""
    result = bench.run(attack("train_in_load"), rooms)
    assert (result.outcome, result.score) == (Outcome.timeout, None)
    assert "load" in result.reason


def test_control_a_longer_load_is_a_second_training(bench: Bench, rooms: Task) -> None:
    """With a longer deadline the second training is scored."""
    without_defence(bench, "train_in_load")
    assert bench.run(attack("train_in_load"), rooms).rehearsal_score is not None


@pytest.mark.claim("load-is-no-second-budget")
def test_a_trickle_of_bytes_is_not_waited_for(bench: Bench, rooms: Task) -> None:
    """Answers have one budget in all, whatever trickles in."""
    result = bench.run(attack("slow_answer"), rooms)
    assert (result.outcome, result.score) == (Outcome.timeout, None)
    assert "answers" in result.reason


def test_control_without_the_budget_the_trickle_is_scored(bench: Bench, rooms: Task) -> None:
    """Without that budget the trickle is waited for."""
    without_defence(bench, "slow_answer")
    assert bench.run(attack("slow_answer"), rooms).rehearsal_score is not None
