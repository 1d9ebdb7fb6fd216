"""tasks/speed with a real engine: what the beginning scores, and what a faster one does."""

from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.api import Outcome, Task
from sandbox.containers.container import RoleContainer
from sandbox.policy import Role
from sandbox.service import Service
from tests.support.candidates import Bench
from tests.support.files import task_files
from tests.support.tasks import ROOT

pytestmark = [pytest.mark.docker, pytest.mark.slow]

SPEED = ROOT / "tasks" / "speed"
TRAIN = (SPEED / "train.py").read_text()
BETTER = (ROOT / "tests" / "candidates" / "speed.py").read_text()


@pytest.fixture(scope="module")
def speed(service: Service) -> Iterator[Task]:
    """The task, prepared."""
    task = service.prepare(task_files(SPEED))
    yield task
    service.forget(task.hash)


def test_the_beginning_is_as_fast_as_itself(bench: Bench, speed: Task) -> None:
    """Within what is asked of a gain."""
    result = bench.run(TRAIN, speed)
    assert result.outcome is Outcome.scored, result
    assert result.score == pytest.approx(0, abs=speed.settings.min_gain)


def test_a_faster_candidate_gains_more_than_noise(bench: Bench, speed: Task) -> None:
    """A step a letter in the place of a step a cell is several doublings, on every kind."""
    result = bench.run(BETTER, speed)
    assert result.outcome is Outcome.scored, result
    assert result.score is not None
    assert result.score > 2 > speed.settings.min_gain


def test_the_baseline_does_not_import_what_the_candidate_does(
    bench: Bench, speed: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A heavy import of the candidate is its own: the baseline's process is always the same."""
    modules: dict[bool, set[tuple[str, ...]]] = {True: set(), False: set()}
    start = RoleContainer.start

    def noted(container: RoleContainer, imports: Any = (), most: int = 0) -> None:
        if container.order.role is Role.predictor:
            kept = container.order.volumes.artifact
            modules[kept.endswith("-baseline")].add(imports)
        start(container, imports, most)

    monkeypatch.setattr(RoleContainer, "start", noted)
    result = bench.run(TRAIN.replace("import numpy", "import torch\nimport numpy"), speed)
    assert result.outcome is Outcome.scored, result
    assert modules == {True: {()}, False: {("torch",)}}
