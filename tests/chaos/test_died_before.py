"""A trial in which an earlier sandbox died: the same seed, and not for ever."""

import hashlib
import threading

import pytest

from sandbox.api import Outcome, Progress, Stage, TrialRequest
from sandbox.errors import Cancelled
from sandbox.trials.results import Begun
from tests.conftest import TINY
from tests.support.candidates import Bench

pytestmark = pytest.mark.docker

QUICK = (TINY / "train.py").read_text()
LONG = QUICK.replace("    x = np", "    import time; time.sleep(60)\n    x = np")


def begun(bench: Bench, key: str, attempts: int, candidate: str = QUICK) -> TrialRequest:
    """A trial that was begun so often with the seed 7, and the request for it."""
    digest = hashlib.sha256(candidate.encode()).hexdigest()
    note = Begun(task=bench.task.hash, candidate=digest, seed=7, attempts=attempts)
    bench.service._results.begin(key, note)
    return TrialRequest(key=key, task=bench.task.hash, candidate=QUICK)


@pytest.mark.claim("one-seed-a-trial")
@pytest.mark.parametrize("before", [1, 2])
def test_it_runs_again_with_the_same_seed_and_is_counted(bench: Bench, before: int) -> None:
    """Whatever the candidate did to the sandbox, it does not draw another seed."""
    result = bench.service.run(begun(bench, f"died-{before}", before))
    assert (result.outcome, result.attempts) == (Outcome.scored, before + 1)
    record = bench.service._results.get(f"died-{before}")
    assert record.seed == 7


@pytest.mark.claim("one-seed-a-trial")
def test_the_third_death_is_an_error_and_nothing_runs(bench: Bench) -> None:
    """A candidate that takes the sandbox along each time does not hold a run for ever."""
    told: list[Progress] = []
    result = bench.service.run(begun(bench, "died-3", 3), told.append)
    assert (result.outcome, result.attempts) == (Outcome.error, 3)
    assert result.reason == "the sandbox died 3 times during the trial"
    assert {progress.stage for progress in told} == {Stage.waiting}


def test_another_candidate_of_the_key_is_another_trial(bench: Bench) -> None:
    """A key that has no result is free."""
    result = bench.service.run(begun(bench, "died-other", 3, candidate=QUICK + "# another\n"))
    assert (result.outcome, result.attempts) == (Outcome.scored, 1)


def test_a_cancelled_trial_begins_anew(bench: Bench) -> None:
    """Nobody died in it: a person wanted it so."""
    training, ended = threading.Event(), threading.Event()

    def run() -> None:
        request = TrialRequest(key="cancelled", task=bench.task.hash, candidate=LONG)
        with pytest.raises(Cancelled):
            bench.service.run(
                request, lambda p: training.set() if p.stage is Stage.training else None
            )
        ended.set()

    threading.Thread(target=run).start()
    assert training.wait(30)
    assert bench.service._results.begun("cancelled") is not None
    bench.service.cancel("cancelled")
    assert ended.wait(30)
    assert bench.service._results.begun("cancelled") is None
