"""A machine that sleeps during a trial: nothing that a clock said then counts."""

import time
from collections.abc import Callable

import pytest

from sandbox.api import Outcome, Progress, Stage, TrialRequest, TrialResult
from tests.conftest import TINY
from tests.support.candidates import Bench

pytestmark = pytest.mark.docker

QUICK = (TINY / "train.py").read_text()
LOADS_FOR_EVER = QUICK.replace(
    "    weights = np.load", "    import time; time.sleep(60)\n    weights = np.load"
)

Run = Callable[[str, Stage, int], TrialResult]


@pytest.fixture
def run(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a candidate while the machine sleeps for a minute, in a stage of so many attempts.

    What sleeps is the clock: one that counts sleep runs ahead of the one that does not.
    """
    slept = 0.0
    read = time.clock_gettime

    def clock(which: int) -> float:
        return read(which) + (slept if which == time.CLOCK_BOOTTIME else 0.0)

    monkeypatch.setattr(time, "clock_gettime", clock)

    def run(candidate: str, stage: Stage, times: int) -> TrialResult:
        left = times

        def on_progress(progress: Progress) -> None:
            nonlocal slept, left
            if progress.stage is stage and left:
                slept, left = slept + 60, left - 1

        key = f"sleep-{time.monotonic_ns()}"
        request = TrialRequest(key=key, task=bench.task.hash, candidate=candidate)
        return bench.service.run(request, on_progress)

    return run


@pytest.mark.claim("sleep-is-nobodys")
@pytest.mark.parametrize(
    "stage",
    [
        Stage.training,
        *(pytest.param(s, marks=pytest.mark.slow) for s in (Stage.rehearsing, Stage.scoring)),
    ],
)
def test_a_trial_in_which_the_machine_slept_is_tried_again(run: Run, stage: Stage) -> None:
    """Once it stays awake the trial counts, and says that it was the second attempt."""
    result = run(QUICK, stage, 1)
    assert (result.outcome, result.attempts) == (Outcome.scored, 2)


def test_a_machine_that_sleeps_each_time_makes_it_an_error(run: Run) -> None:
    """Of three attempts; the reason names the sleep."""
    result = run(QUICK, Stage.training, 3)
    assert (result.outcome, result.attempts) == (Outcome.error, 3)
    assert "the machine slept for 60 s" in result.reason


@pytest.mark.claim("sleep-is-nobodys")
@pytest.mark.parametrize(("times", "outcome"), [(0, Outcome.timeout), (3, Outcome.error)])
def test_no_timeout_is_the_candidates_if_the_machine_slept(
    run: Run, times: int, outcome: Outcome
) -> None:
    """The control arm: awake, the same candidate ends `timeout`."""
    assert run(LOADS_FOR_EVER, Stage.rehearsing, times).outcome is outcome


def test_a_sleep_before_the_trial_is_none_in_it(run: Run) -> None:
    """What counts is what changes between a trial's beginning and its end."""
    result = run(QUICK, Stage.building, 1)
    assert (result.outcome, result.attempts) == (Outcome.scored, 1)
