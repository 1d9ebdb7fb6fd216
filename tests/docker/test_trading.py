"""tasks/trading with a real engine: the beginning is scored, and a better candidate is better."""

from collections.abc import Iterator

import pytest

from sandbox.api import Outcome, Task, TrialResult
from sandbox.containers.host import Host
from sandbox.service import Service
from sandbox.trials.results import Results
from tests.support.candidates import Bench
from tests.support.files import task_files
from tests.support.market import TRADING, made_up
from tests.support.tasks import ROOT

pytestmark = pytest.mark.docker

TRAIN = (TRADING / "train.py").read_text()
BETTER = (ROOT / "tests" / "candidates" / "trading.py").read_text()


@pytest.fixture(scope="module")
def made_up_days(service: Service) -> Iterator[Task]:
    """The task with days that have a premium and take back a part of the day before."""
    prepare = made_up(2000, drift=(0.04, 0.04), reversal=0.25)
    task = service.prepare(task_files(TRADING, prepare=prepare))
    yield task
    service.forget(task.hash)


def check_better(service: Service, baseline: TrialResult, better: TrialResult, gain: float) -> None:
    """Both are scored, by the same days, and the second one gains more than that."""
    for result in (baseline, better):
        assert result.outcome is Outcome.scored, result.reason
        assert result.rehearsal_score is not None
    comparison = service.compare([better.key], [baseline.key])
    assert comparison.difference > gain
    assert 0 < comparison.standard_error < 1


def test_a_trial_from_the_prices_to_the_ratio(
    bench: Bench, service: Service, made_up_days: Task, host: Host
) -> None:
    """The beginning is scored, one value a day in blocks of a month; reasons that hold gain."""
    baseline, better = (bench.run(text, made_up_days) for text in (TRAIN, BETTER))
    check_better(service, baseline, better, made_up_days.settings.min_gain)
    values, block = Results(host.config.home / "trials")._values(baseline.key)
    assert len(values) == baseline.examples == round(0.32 * 1999) - 1
    assert block is not None
    assert block[-1] == (len(values) - 1) // 21


@pytest.mark.slow
def test_the_better_candidate_is_better_on_the_real_days(bench: Bench, service: Service) -> None:
    """Wherever the salt cuts; this is the one test of the task that needs the package index."""
    task = service.prepare(task_files(TRADING))
    try:
        baseline, better = (bench.run(text, task) for text in (TRAIN, BETTER))
        check_better(service, baseline, better, task.settings.min_gain)
    finally:
        service.forget(task.hash)
