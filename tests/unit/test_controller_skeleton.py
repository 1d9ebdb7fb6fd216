"""`sealed task new`: skeletons that are tasks, each with a beginning that knows something."""

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from controller.agents.marks import marked
from controller.skeleton import SkeletonKind, write_skeleton
from controller.task import read_task
from controller.task_check.measure import knows_nothing
from sandbox.api import Goal, TaskSettings
from sandbox.tasks.candidate import check_candidate
from sandbox.tasks.settings import parse_program
from sealed_task import Dishonest, Folders, Invalid, Predictors
from tests.support.predictors import Loopback
from tests.support.tasks import load_module, prepared
from tests.unit.command import Sealed

SPLITS = ("rehearsal", "held_out", "vault")


class Skeleton:
    """A skeleton that was written, prepared and trained in this process."""

    def __init__(self, kind: SkeletonKind, folder: Path) -> None:
        self.task = write_skeleton(kind, str(folder / "task"))
        self.prepare = load_module(self.task / "prepare.py")
        self.to = prepared(self.prepare, folder, salt=1)
        self.settings = parse_program((self.task / "program.md").read_text("utf-8"))[0]
        self._artifact = folder / "artifact"
        self._artifact.mkdir()
        train = load_module(self.task / "train.py")
        train.train(self.to.train.parent, self._artifact, 0, self.settings.budget_seconds)
        self.answer = train.load(self._artifact)

    def score(self, answer: Any, split: str = "held_out") -> float:
        """Of what answers in the place of `train.py`, which is the baseline."""
        loopback = Loopback(answer, baseline=self.answer)
        predictors = Predictors(loopback.requests, loopback.replies)
        return float(self.prepare.score(getattr(self.to, split), predictors).values.mean())


@pytest.fixture(scope="module", params=SkeletonKind)
def skeleton(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Skeleton:
    return Skeleton(request.param, tmp_path_factory.mktemp(request.param))


def better(settings: TaskSettings, first: float, second: float) -> bool:
    return first < second if settings.goal is Goal.minimize else first > second


def test_every_split_is_scored_by_the_beginning(skeleton: Skeleton) -> None:
    """With a finite score, on data that the salt has dealt."""
    assert all(np.isfinite(skeleton.score(skeleton.answer, split)) for split in SPLITS)
    folders: Folders = skeleton.to
    assert all(any(folder.iterdir()) for folder in vars(folders).values())


@pytest.mark.parametrize("kind", ["zeros", "equal shares"])
def test_the_beginning_knows_more_than_nothing(
    skeleton: Skeleton, kind: str, tmp_path: Path
) -> None:
    """Constant answers are worse, or refused; so a check of the skeleton passes."""
    path = tmp_path / "train.py"
    path.write_text(knows_nothing(kind))
    nothing = load_module(path)
    nothing.train(tmp_path, tmp_path, 0, 1.0)
    with contextlib.suppress(Invalid, Dishonest):
        found = skeleton.score(nothing.load(tmp_path))
        assert better(skeleton.settings, skeleton.score(skeleton.answer), found)


def test_a_skeleton_is_a_task_folder(skeleton: Skeleton) -> None:
    """Its files can be read, its train.py is a candidate, its marks are marks."""
    files = read_task(skeleton.task)
    check_candidate(files.train)
    marked(files.train)
    assert (
        "Your data goes here" in files.prepare
        or "There is no data" in files.prepare
        or ("Your texts go here" in files.prepare or "there is nothing to hide" in files.prepare)
    )


# ---- the command ------------------------------------------------------------------------------


def test_a_skeleton_is_written_into_the_folder_of_tasks(sealed: Sealed) -> None:
    """And can be prepared as it is; the next step is said."""
    out = sealed("task", "new", "examples", "mine").output
    assert "Next: sealed task check tasks/mine" in out
    assert sorted(file.name for file in Path("tasks/mine").iterdir()) == [
        "prepare.py",
        "program.md",
        "train.py",
    ]
    assert "mine is prepared" in sealed("task", "prepare", "mine").output


def test_a_path_is_taken_as_it_is(sealed: Sealed) -> None:
    """Also outside of the folder of tasks."""
    sealed("task", "new", "stream", "./elsewhere")
    assert Path("elsewhere/train.py").exists()


def test_nothing_is_overwritten(sealed: Sealed) -> None:
    """A folder that is there stays as it is."""
    before = Path("tasks/toy/train.py").read_text()
    assert "is there already" in sealed("task", "new", "stream", "toy", code=2).output
    assert Path("tasks/toy/train.py").read_text() == before


@pytest.mark.parametrize("name", ["tasks/a b", "-x", "tasks/" + "x" * 60])
def test_a_name_must_be_one_of_a_task(sealed: Sealed, name: str) -> None:
    """What the sandbox would refuse later is refused now."""
    assert "no name for a task" in sealed("task", "new", "stream", "--", name, code=2).output


def test_an_unknown_kind_names_those_there_are(sealed: Sealed) -> None:
    """Exit code 2."""
    out = sealed("task", "new", "poem", "mine", code=2).output
    assert all(kind in out for kind in SkeletonKind)


def test_a_place_that_cannot_be_written_is_told(sealed: Sealed) -> None:
    """With the reason."""
    assert "can't be written" in sealed("task", "new", "stream", "no/such/mine", code=2).output
