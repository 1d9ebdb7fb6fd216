"""tasks/circles with a real engine: the beginning is scored, overlap by rounding is not."""

from collections.abc import Iterator

import pytest

from sandbox.api import Outcome, Task, TrialRequest, TrialResult
from sandbox.service import Service
from tests.support.files import task_files
from tests.support.tasks import ROOT

pytestmark = pytest.mark.docker

CIRCLES = ROOT / "tasks" / "circles"
TRAIN = (CIRCLES / "train.py").read_text()


@pytest.fixture(scope="module")
def circles(service: Service) -> Iterator[Task]:
    """The task, prepared."""
    task = service.prepare(task_files(CIRCLES))
    yield task
    service.forget(task.hash)


def run(service: Service, task: Task, candidate: str) -> TrialResult:
    key = f"circles-{abs(hash(candidate))}"
    return service.run(TrialRequest(key=key, task=task.hash, candidate=candidate))


@pytest.mark.slow
def test_the_beginning_is_scored_and_can_be_beaten(service: Service, circles: Task) -> None:
    """The same on the rehearsal, for there is nothing to hide; a better search is well above it."""
    result = run(service, circles, TRAIN)
    assert result.outcome is Outcome.scored
    assert result.score is not None
    assert 2.3 < result.score < 2.6
    assert result.rehearsal_score == result.score
    better = run(service, circles, (ROOT / "tests" / "candidates" / "circles.py").read_text())
    assert better.score is not None
    assert better.score > result.score + circles.settings.min_gain


def test_overlap_by_rounding_is_invalid(service: Service, circles: Task) -> None:
    """What a check with a tolerance lets pass has no score, and the reason says which circles."""
    candidate = TRAIN.replace("MARGIN = 1e-9", "MARGIN = -1e-10")
    assert candidate != TRAIN
    result = run(service, circles, candidate)
    assert (result.outcome, result.score) == (Outcome.invalid, None)
    assert "overlap" in result.reason or "not inside the square" in result.reason
