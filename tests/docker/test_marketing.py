"""tasks/marketing with a real engine: the beginning is scored, a better candidate is better."""

from collections.abc import Iterator

import pytest

from sandbox.api import Outcome, Task, TrialResult
from sandbox.containers.host import Host
from sandbox.service import Service
from sandbox.trials.results import Results
from tests.support.candidates import Bench
from tests.support.files import task_files
from tests.support.shop import MARKETING, made_up
from tests.support.tasks import ROOT

pytestmark = pytest.mark.docker

TRAIN = (MARKETING / "train.py").read_text()
BETTER = (ROOT / "tests" / "candidates" / "marketing.py").read_text()


@pytest.fixture(scope="module")
def made_up_receipts(service: Service) -> Iterator[Task]:
    """The task with receipts of customers who have habits."""
    task = service.prepare(task_files(MARKETING, prepare=made_up(600)))
    yield task
    service.forget(task.hash)


def check_better(service: Service, baseline: TrialResult, better: TrialResult, gain: float) -> None:
    """Both are scored, for the same customers, and the second one gains more than that."""
    for result in (baseline, better):
        assert result.outcome is Outcome.scored, result.reason
        assert result.rehearsal_score is not None
    comparison = service.compare([better.key], [baseline.key])
    assert comparison.difference > gain
    assert comparison.difference > 4 * comparison.standard_error > 0


def test_a_trial_from_the_receipts_to_the_profit(
    bench: Bench, service: Service, made_up_receipts: Task, host: Host
) -> None:
    """The beginning is scored, one value a visit in blocks of a customer; habits gain."""
    baseline, better = (bench.run(text, made_up_receipts) for text in (TRAIN, BETTER))
    check_better(service, baseline, better, made_up_receipts.settings.min_gain)
    values, block = Results(host.config.home / "trials")._values(baseline.key)
    assert block is not None
    assert len(values) == len(block) == baseline.examples
    assert len(set(block.tolist())) < baseline.examples


@pytest.mark.slow
def test_the_better_candidate_is_better_on_the_real_receipts(
    bench: Bench, service: Service
) -> None:
    """Whoever is held out; this is the one test of the task that needs the package index."""
    task = service.prepare(task_files(MARKETING))
    try:
        baseline, better = (bench.run(text, task) for text in (TRAIN, BETTER))
        check_better(service, baseline, better, task.settings.min_gain)
    finally:
        service.forget(task.hash)
