"""`sealed task check` against the real engine: what knows nothing scores as it should."""

import itertools
from pathlib import Path

import pytest

from controller.skeleton import SkeletonKind, write_skeleton
from controller.task import read_task
from controller.task_check import Measured, findings, measure
from sandbox.api import Outcome, Task, TrialRequest, TrialResult, Verdict
from sandbox.service import Service
from tests.conftest import TINY
from tests.support.files import task_files

pytestmark = pytest.mark.docker

IN_EVERY_RUN = {SkeletonKind.construction}
"""The others take half a minute each; all are tried without an engine as well."""
TRAIN = (TINY / "train.py").read_text()


def checked(service: Service, task: Task, train: str = TRAIN) -> Measured:
    """The trials of a check of this task."""
    numbers = itertools.count()

    def run(candidate: str, vault: bool) -> TrialResult:
        key = f"check-{task.hash[:8]}-{next(numbers)}"
        return service.run(TrialRequest(key=key, task=task.hash, candidate=candidate, vault=vault))

    return measure(run, train)


@pytest.fixture(scope="module")
def measured(service: Service) -> Measured:
    """All trials of a check of the tiny task."""
    return checked(service, service.prepare(task_files(TINY)))


def test_what_knows_nothing_is_scored_by_its_answers(measured: Measured) -> None:
    """Zeros, ones and the question's own numbers each cost what they are away from the truth."""
    tried = {kind: trial for kinds in measured.trivial.values() for kind, trial in kinds.items()}
    assert {trial.outcome for trial in tried.values()} == {Outcome.scored}
    scores = {kind: trial.score for kind, trial in tried.items()}
    assert len(set(scores.values())) == len(scores)
    assert all(score is not None and 1 < score < 100 for score in scores.values())


@pytest.mark.parametrize(
    ("goal", "verdict"), [("minimize", Verdict.passed), ("maximize", Verdict.failed)]
)
def test_a_goal_that_is_the_wrong_way_round_is_found(
    service: Service, measured: Measured, goal: str, verdict: Verdict
) -> None:
    """The same trials under the other goal: what knows nothing wins."""
    program = (TINY / "program.md").read_text().replace("minimize", goal)
    task = service.prepare(task_files(TINY, program=program))
    found = {check.name: check.verdict for check in findings(task, measured)}
    assert found["direction"] is verdict
    assert found["baseline"] is Verdict.passed


def test_a_metric_that_looks_at_no_answer_is_refused(service: Service) -> None:
    """A scorer whose score is the same for everybody is won by a constant."""
    prepare = (TINY / "prepare.py").read_text().replace("(answer - y) ** 2", "0 * answer + y")
    task = service.prepare(task_files(TINY, prepare=prepare))
    try:
        found = {check.name: check for check in findings(task, checked(service, task))}
        assert found["direction"].verdict is Verdict.failed
        assert "score what a model must know something for" in found["direction"].next_step
    finally:
        service.forget(task.hash)


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=() if kind in IN_EVERY_RUN else pytest.mark.slow)
        for kind in SkeletonKind
    ],
)
def test_a_skeleton_passes_its_check(service: Service, tmp_path: Path, kind: SkeletonKind) -> None:
    """As it is written, and nothing of it would be refused: a person begins with what works."""
    files = read_task(write_skeleton(kind, str(tmp_path / kind)))
    task = service.prepare(files)
    try:
        found = {check.name: check for check in findings(task, checked(service, task, files.train))}
        assert Verdict.failed not in {check.verdict for check in found.values()}, found
        assert found["spread"].verdict is Verdict.passed, found["spread"]
        assert found["baseline"].verdict is Verdict.passed, found["baseline"]
    finally:
        service.forget(task.hash)
