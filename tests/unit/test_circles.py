"""tasks/circles: what is exact about its score, and that its baseline is a beginning."""

import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from controller.agents.marks import marked
from sandbox.tasks.settings import parse_program
from sealed_task import Folders, Invalid
from tests.support.predictors import Loopback, local_predictors
from tests.support.tasks import ROOT, load_module, prepared

CIRCLES = ROOT / "tasks" / "circles"
PREPARE = load_module(CIRCLES / "prepare.py")
TRAIN = load_module(CIRCLES / "train.py")

Placement = NDArray[np.float64]


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return prepared(PREPARE, tmp_path, salt=1)


def grid() -> Placement:
    """Five rows of five that touch, with sides and radii that are exact in binary, and a dot."""
    places = [(1 + 2 * column) / 16 for column in range(5)]
    circles = [(x, y, 1 / 16) for x in places for y in places]
    return np.array([*circles, (1.0, 1.0, 0.0)])


def score_of(folder: Path, circles: Any) -> float:
    return float(PREPARE.score(folder, local_predictors(lambda _: circles)).values.mean())


def naive_sum(circles: Placement) -> float:
    """The control arm: the usual check, with a tolerance for rounding."""
    centres, radii = circles[:, :2], circles[:, 2]
    assert (centres - radii[:, None] >= -1e-9).all()
    assert (centres + radii[:, None] <= 1 + 1e-9).all()
    for first in range(len(circles)):
        for second in range(first):
            apart = math.dist(centres[first], centres[second])
            assert apart >= radii[first] + radii[second] - 1e-9
    return float(radii.sum())


def test_touching_is_allowed(folders: Folders) -> None:
    """Circles that touch each other and the sides, exactly; and one that is a point in a corner."""
    for folder in (folders.rehearsal, folders.held_out, folders.vault):
        assert score_of(folder, grid()) == 25 / 16


@pytest.mark.parametrize(
    ("circle", "column", "towards"), [(12, 2, 1), (0, 2, 1), (0, 0, 0), (25, 2, 1), (12, 0, 1)]
)
def test_the_last_bit_counts(folders: Folders, circle: int, column: int, towards: int) -> None:
    """A radius or a place that is wrong by one bit is wrong; with a tolerance it would win."""
    circles = grid()
    circles[circle, column] = np.nextafter(circles[circle, column], towards)
    with pytest.raises(Invalid, match=r"overlap|not inside the square"):
        score_of(folders.held_out, circles)
    assert naive_sum(circles) >= naive_sum(grid())


def test_overlap_by_rounding_gains_nothing(folders: Folders) -> None:
    """Every radius a little larger: believed with a tolerance, refused without."""
    circles = grid()
    circles[:25, 2] += 4e-10
    assert naive_sum(circles) > naive_sum(grid())
    with pytest.raises(Invalid):
        score_of(folders.held_out, circles)


@pytest.mark.parametrize("value", [math.nan, math.inf, -1e-300, 1.5])
def test_what_is_no_place_is_refused(folders: Folders, value: float) -> None:
    """In any column; a negative radius would make room for others."""
    for column in range(3):
        circles = grid()
        circles[3, column] = value
        with pytest.raises(Invalid):
            score_of(folders.held_out, circles)


@pytest.mark.parametrize("shape", [(25, 3), (27, 3), (26, 2), (78,)])
def test_there_are_26_circles(folders: Folders, shape: tuple[int, ...]) -> None:
    """Fewer, more, or other numbers are no answer."""
    with pytest.raises(Invalid):
        score_of(folders.held_out, np.zeros(shape))


def test_the_same_circle_twice_is_refused(folders: Folders) -> None:
    """One within the other overlaps."""
    circles = grid()
    circles[25] = (*circles[12, :2], 1e-6)
    with pytest.raises(Invalid, match="circles 12 and 25 overlap"):
        score_of(folders.held_out, circles)


def test_one_question_is_asked(folders: Folders) -> None:
    """It says how many circles, and nothing else."""
    loopback = Loopback(lambda _: grid())
    PREPARE.score(folders.vault, PREPARE.Predictors(loopback.requests, loopback.replies))
    assert loopback.questions == [{"circles": 26}]
    assert json.loads((folders.train / "question.json").read_text()) == {"circles": 26}


@given(st.integers(0, 2**32 - 1), st.integers(0, 300), st.floats(0, 0.5))
def test_what_is_repaired_is_right(seed: int, steps: int, disorder: float) -> None:
    """Wherever the search has got to, the baseline's last step leaves a valid placement."""
    rng = np.random.default_rng(seed)
    circles = TRAIN.first_placement(rng) + rng.normal(0, disorder, (26, 3))
    for _ in range(min(steps, 20)):
        circles = circles + 1e-3 * TRAIN.pull(circles)
    assert PREPARE.sum_of_radii(TRAIN.repaired(circles)) >= 0


def test_the_pull_is_uphill() -> None:
    """It is the gradient of the sum of radii less the weighted squares of all overlaps."""

    def height(circles: Placement) -> float:
        centres, radii = circles[:, :2], circles[:, 2]
        sides = np.maximum(radii[:, None] - centres, 0), np.maximum(centres + radii[:, None] - 1, 0)
        squares = sum(float((side**2).sum()) for side in sides)
        for first in range(26):
            for second in range(first):
                apart = math.dist(centres[first], centres[second])
                squares += max(0.0, radii[first] + radii[second] - apart) ** 2
        return float(radii.sum()) - TRAIN.PUSH * squares

    circles = TRAIN.first_placement(np.random.default_rng(0))
    circles[:, 2] = 0.12
    slopes, step = TRAIN.pull(circles), 1e-6
    for place in np.ndindex(circles.shape):
        moved = circles.copy()
        moved[place] += step
        low = circles.copy()
        low[place] -= step
        assert slopes[place] == pytest.approx((height(moved) - height(low)) / (2 * step), abs=1e-4)


def test_the_baseline_is_a_beginning(folders: Folders, tmp_path: Path) -> None:
    """Above what a plain grid gives less its own noise, and far from the best that is known."""
    artifact = tmp_path / "artifact"
    artifact.mkdir()
    TRAIN.train(folders.train.parent, artifact, 3, 1)
    found = score_of(folders.held_out, TRAIN.load(artifact)(None))
    assert 2.4 < found < 2.6
    assert sorted(file.name for file in artifact.iterdir()) == ["circles.npy"]


def test_settings_and_marks() -> None:
    """Higher is better, and there are constants to search."""
    settings, _ = parse_program((CIRCLES / "program.md").read_text())
    assert (settings.goal, settings.metric) == ("maximize", "sum of radii")
    names = {constant.name for constant in marked((CIRCLES / "train.py").read_text()).constants}
    assert {"STEPS", "STEP", "PUSH"} <= names


def test_a_sum_is_exact() -> None:
    """Not rounded after each term."""
    circles = np.zeros((26, 3))
    circles[:, 0] = np.arange(26) / 32 + 1 / 64
    circles[:, 1] = 0.5
    circles[:, 2] = 2.0**-60
    circles[0, 2] = 2.0**-7
    assert PREPARE.sum_of_radii(circles) == Fraction(1, 2**7) + 25 * Fraction(1, 2**60)
