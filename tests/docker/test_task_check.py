"""`sealed task check` against the real engine: bad metrics of six kinds are refused."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from controller.skeleton import SkeletonKind, write_skeleton
from controller.task import read_task
from controller.task_check import Measured, findings, measure
from sandbox.api import Check, Comparison, Outcome, Task, TrialRequest, TrialResult, Verdict
from sandbox.service import Service
from tests.conftest import TINY
from tests.support.files import task_files

pytestmark = pytest.mark.docker

TRAIN = (TINY / "train.py").read_text()
PREPARE = (TINY / "prepare.py").read_text()

Bad = Callable[..., dict[str, Check]]
"""The findings about the tiny task with this `prepare.py`, and this `train.py` if it is given."""


def checked(service: Service, task: Task, train: str = TRAIN) -> Measured:
    """The trials of a check of this task."""
    numbers = itertools.count()

    def run(candidate: str, vault: bool) -> TrialResult:
        key = f"check-{task.hash[:8]}-{next(numbers)}"
        return service.run(TrialRequest(key=key, task=task.hash, candidate=candidate, vault=vault))

    def compare(first: TrialResult, second: TrialResult) -> Comparison:
        return service.compare([first.key], [second.key])

    return measure(run, compare, train)


def changed(*pairs: tuple[str, str]) -> str:
    """The tiny task's `prepare.py` with other words; each stands there once."""
    text = PREPARE
    for old, new in pairs:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


@pytest.fixture(scope="module")
def measured(service: Service) -> Measured:
    """All trials of a check of the tiny task."""
    return checked(service, service.prepare(task_files(TINY)))


@pytest.fixture
def bad(service: Service) -> Iterator[Bad]:
    """Checks a task, which is forgotten at the end."""
    tasks: list[Task] = []

    def check(prepare: str, train: str = TRAIN) -> dict[str, Check]:
        task = service.prepare(task_files(TINY, prepare=prepare, train=train))
        tasks.append(task)
        survey = service.survey(task.hash)
        return {one.name: one for one in findings(task, survey, checked(service, task, train))}

    yield check
    for task in tasks:
        service.forget(task.hash)


def failed(found: dict[str, Check]) -> set[str]:
    """Names of the findings for which the task is refused."""
    return {name for name, check in found.items() if check.verdict is Verdict.failed}


@pytest.mark.slow
def test_what_knows_nothing_is_scored_by_its_answers(measured: Measured) -> None:
    """Zeros, ones and the question's own numbers each cost what they are away from the truth."""
    tried = {kind: trial for kinds in measured.trivial.values() for kind, trial in kinds.items()}
    assert {trial.outcome for trial in tried.values()} == {Outcome.scored}
    scores = {kind: trial.score for kind, trial in tried.items()}
    assert len({scores[kind] for kind in ("zeros", "ones", "equal shares", "echo")}) == 4
    assert all(score is not None and 1 < score < 100 for score in scores.values())
    assert measured.again is not None
    assert measured.again[1].score == scores["zeros"]
    assert len(measured.pairs) == 3


# ---- six kinds of bad metrics -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("goal", "verdict"), [("minimize", Verdict.passed), ("maximize", Verdict.failed)]
)
def test_a_goal_that_is_the_wrong_way_round_is_found(
    service: Service, measured: Measured, goal: str, verdict: Verdict
) -> None:
    """The same trials under the other goal: what knows nothing wins."""
    program = (TINY / "program.md").read_text().replace("minimize", goal)
    task = service.prepare(task_files(TINY, program=program))
    survey = service.survey(task.hash)
    found = {check.name: check for check in findings(task, survey, measured)}
    assert found["direction"].verdict is verdict
    assert failed(found) == ({"direction"} if goal == "maximize" else set())
    assert ("Turn `goal` round" in found["direction"].next_step) == (goal == "maximize")


def test_a_metric_that_a_constant_wins_is_refused(bad: Bad) -> None:
    """Right or wrong, where nearly all is of one kind: who always says so is hardly ever wrong."""
    found = bad(changed(("Score((answer - y) ** 2)", "Score((answer > 9) != (y > 9))")))
    assert failed(found) == {"direction"}
    assert "answering" in found["direction"].detail
    assert "score what a model must know something for" in found["direction"].next_step


@pytest.mark.slow
def test_a_metric_with_the_answer_in_the_question_is_refused(bad: Bad) -> None:
    """The label travels with the question: an echo has no error."""
    prepare = changed(("predictor.ask(x, ", 'predictor.ask({"y": y, "x": x}, '))
    found = bad(prepare, TRAIN.replace("lambda x: SCALE * (x @", 'lambda q: SCALE * (q["x"] @'))
    assert failed(found) == {"direction"}
    assert "answering echo 0." in found["direction"].detail


@pytest.mark.slow
def test_a_score_that_moves_by_itself_is_refused(bad: Bad) -> None:
    """Of the same answers it makes something else each time: here by the clock."""
    found = bad(changed(
        ("import numpy as np\n", "import time\n\nimport numpy as np\n"),
        ("Score((answer - y) ** 2)", "Score((answer - y) ** 2 + 1e3 * time.time())"),
    ))  # fmt: skip
    assert "scorer" in failed(found)
    assert "draw less at random in `score`" in found["scorer"].next_step


@pytest.mark.claim("held-out-copies-are-told")
def test_a_held_out_split_that_is_the_trainers_own_is_refused(
    service: Service, measured: Measured
) -> None:
    """The same rows in every split: who remembers them needs to learn nothing."""
    drawn = changed(("x = rng.normal(", "x = np.random.default_rng(3).normal("))
    task = service.prepare(task_files(TINY, prepare=drawn))
    try:
        survey = service.survey(task.hash)
        found = {check.name: check for check in findings(task, survey, measured)}
        assert failed(found) == {"duplicates"}
        assert "x.npy: 100% of 64 examples" in found["duplicates"].detail
        assert "to one split alone" in found["duplicates"].next_step
    finally:
        service.forget(task.hash)


@pytest.mark.claim("held-out-copies-are-told")
def test_an_agent_image_with_the_held_out_data_in_it_is_refused(
    service: Service, measured: Measured, tag: str
) -> None:
    """A package that ships the data set, packed: it need only be looked up."""
    drawn = "np.random.default_rng(11).normal(size=(ROWS, 2))"
    rows = f"known = {drawn}\n        x = known if folder == to.held_out else "
    prepare = changed(("x = rng.normal(", f"{rows}rng.normal("))
    ship = (
        f"import gzip, numpy as np; ROWS = 64; x = {drawn}; "
        "gzip.open('/opt/rows.csv.gz', 'wb').write(x.tobytes())"
    )
    program = (TINY / "program.md").read_text().replace("---\n", f"---\nimage: {tag}\n", 1)
    dockerfile = f'FROM sealed-agent\nRUN /opt/sealed/venv/bin/python -c "{ship}"\n'
    files = replace(task_files(TINY, program=program, prepare=prepare), dockerfile=dockerfile)
    task = service.prepare(files)
    try:
        survey = service.survey(task.hash)
        found = {check.name: check for check in findings(task, survey, measured)}
        assert failed(found) == {"agent_image"}
        assert "/opt/rows.csv.gz" in found["agent_image"].detail
        assert "Dockerfile" in found["agent_image"].next_step
    finally:
        service.forget(task.hash)


# ---- what a person begins with ----------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("kind", SkeletonKind)
def test_a_skeleton_passes_its_check(service: Service, tmp_path: Path, kind: SkeletonKind) -> None:
    """As it is written, and nothing of it would be refused: a person begins with what works."""
    files = read_task(write_skeleton(kind, str(tmp_path / kind)))
    task = service.prepare(files)
    try:
        survey, tried = service.survey(task.hash), checked(service, task, files.train)
        found = {check.name: check for check in findings(task, survey, tried)}
        assert Verdict.failed not in {check.verdict for check in found.values()}, found
        assert found["spread"].verdict is Verdict.passed, found["spread"]
        assert found["baseline"].verdict is Verdict.passed, found["baseline"]
    finally:
        service.forget(task.hash)
