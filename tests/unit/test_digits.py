"""tasks/digits: its splits, its score, and that its baseline is a beginning."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sandbox.api import Keep
from sandbox.tasks.candidate import warm_modules
from sandbox.tasks.settings import parse_program
from sealed_task import Folders, Invalid, Predictors
from tests.support.predictors import Loopback, local_predictors
from tests.support.tasks import DIGITS, load_module, prepared

UNIFORM_BITS = math.log2(10)
SPLITS = {"train": 898, "rehearsal": 180, "held_out": 539, "vault": 180}
PREPARE = load_module(DIGITS / "prepare.py")

Rows = NDArray[Any]


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    """The four splits under one secret salt."""
    return prepared(PREPARE, tmp_path_factory.mktemp("digits"), salt=1)


def images_of(folder: Path) -> Rows:
    return np.asarray(np.load(folder / "images.npy", allow_pickle=False))


def labels_of(folder: Path) -> Rows:
    return np.asarray(np.load(folder / "labels.npy", allow_pickle=False))


def row_set(images: Rows) -> set[bytes]:
    return {image.tobytes() for image in images}


def bits_of(folder: Path, answer: Callable[[Rows], Any]) -> float:
    return float(PREPARE.score(folder, local_predictors(answer)).values.mean())


def uniform(images: Rows) -> Rows:
    return np.full((len(images), 10), 0.1)


def test_the_four_splits_share_no_image_and_have_the_sizes_that_are_told(digits: Folders) -> None:
    """No image of a split is in another, and together they are all 1797."""
    rows = {name: row_set(images_of(getattr(digits, name))) for name in SPLITS}
    assert {name: len(split) for name, split in rows.items()} == SPLITS
    assert len(set.union(*rows.values())) == sum(SPLITS.values()) == 1797


def test_the_files_are_as_prepare_says(digits: Folders) -> None:
    """Images are uint8 of 8 by 8 with pixels 0 to 16, labels uint8 of 0 to 9, and no pickles."""
    for name, rows in SPLITS.items():
        folder = getattr(digits, name)
        assert sorted(path.name for path in folder.iterdir()) == ["images.npy", "labels.npy"]
        images, labels = images_of(folder), labels_of(folder)
        assert (images.dtype.str, images.shape, images.max()) == ("|u1", (rows, 8, 8), 16)
        assert (labels.dtype.str, labels.shape) == ("|u1", (rows,))
        assert set(labels.tolist()) == set(range(10))


def test_another_salt_makes_another_split(digits: Folders, tmp_path: Path) -> None:
    """Who knows `prepare.py` but not the salt does not know what is held out."""
    other = prepared(PREPARE, tmp_path, salt=2)
    shared = row_set(images_of(other.held_out)) & row_set(images_of(digits.held_out))
    assert 0.1 < len(shared) / SPLITS["held_out"] < 0.5


def test_the_same_salt_makes_the_same_split(digits: Folders, tmp_path: Path) -> None:
    """`rng` decides every split, and nothing else does."""
    again = prepared(PREPARE, tmp_path, salt=1)
    for name in SPLITS:
        assert np.array_equal(images_of(getattr(again, name)), images_of(getattr(digits, name)))
        assert np.array_equal(labels_of(getattr(again, name)), labels_of(getattr(digits, name)))


def test_knowing_nothing_costs_what_ten_equal_chances_cost(digits: Folders) -> None:
    """Uniform probabilities are worth log2(10) bits on every image."""
    values = PREPARE.score(digits.held_out, local_predictors(uniform)).values
    assert np.allclose(values, UNIFORM_BITS, atol=1e-5)
    assert len(values) == SPLITS["held_out"]


def test_one_digit_for_every_image_is_no_better_than_knowing_nothing(digits: Folders) -> None:
    """A constant guess costs at least log2(10) bits, whether it is sure of itself or not."""
    shares = np.bincount(labels_of(digits.train), minlength=10) / SPLITS["train"]
    assert bits_of(digits.held_out, lambda images: np.tile(shares, (len(images), 1))) > 3.31
    sure = np.eye(10)[3]
    assert 17 < bits_of(digits.held_out, lambda images: np.tile(sure, (len(images), 1))) < 19


def test_the_truth_costs_nothing_and_a_sure_mistake_twenty_bits(digits: Folders) -> None:
    """Values are from almost 0 to 20, one for the image it belongs to, whatever order was asked."""
    truth = {
        image.tobytes(): label
        for image, label in zip(images_of(digits.held_out), labels_of(digits.held_out), strict=True)
    }
    wrong = 7

    def answer(images: Rows) -> Rows:
        labels = np.array([truth[image.tobytes()] for image in images])
        return np.eye(10)[np.where(labels == wrong, 0, labels)]

    values = PREPARE.score(digits.held_out, local_predictors(answer)).values
    mistaken = labels_of(digits.held_out) == wrong
    assert np.allclose(values[mistaken], 20, atol=1e-4)
    assert ((values[~mistaken] >= 0) & (values[~mistaken] < 1e-4)).all()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda images: np.ones((len(images), 10)), "sum to 1"),
        (lambda images: np.full((len(images), 10), 0.1001), "sum to 1"),
        (lambda images: np.zeros((len(images), 10)), "sum to 1"),
        (lambda images: np.full((len(images), 10), np.nan), "NaN"),
        (lambda images: np.full((len(images), 10), np.inf), "infinite"),
        (lambda images: np.tile(np.eye(10)[0] * 3 - 0.2, (len(images), 1)), "below 0"),
        (lambda images: np.tile(np.eye(10)[0] * 2, (len(images), 1)), "above 1"),
        (lambda images: np.full((1, 10), 0.1), "shape"),
        (lambda images: np.full(10, 0.1), "shape"),
        (lambda images: 0.1, "shape"),
        (lambda images: np.full((len(images), 11), 1 / 11), "shape"),
        (lambda images: ["1"] * len(images), "not an array of numbers"),
    ],
    ids=[
        "all ones",
        "a little over 1",
        "all zeros",
        "NaN",
        "infinite",
        "negative",
        "over 1",
        "one row for all",
        "one row",
        "one number",
        "eleven classes",
        "texts",
    ],
)
def test_answers_that_are_no_probabilities_are_invalid(
    digits: Folders, answer: Callable[[Rows], Any], reason: str
) -> None:
    """Nothing but ten chances an image, which sum to 1, gets a score."""
    with pytest.raises(Invalid, match=reason):
        bits_of(digits.held_out, answer)


def test_sums_at_the_edge_of_the_tolerance_win_nothing(digits: Folders) -> None:
    """Probabilities stretched to the largest sum that passes score as the ones that sum to 1."""
    stretched = bits_of(digits.held_out, lambda images: uniform(images) * (1 + 9e-7))
    assert stretched == pytest.approx(UNIFORM_BITS, abs=1e-12)


def test_questions_are_small_in_secret_order_and_without_labels(digits: Folders) -> None:
    """Each image is asked once, at most 16 at a time and one question at a time, pixels alone."""
    orders = []
    for _ in range(2):
        loopback = Loopback(uniform)
        predictors = Predictors(loopback.requests, loopback.replies)
        PREPARE.score(digits.held_out, predictors)
        assert loopback.most_under_way == 1
        assert max(map(len, loopback.questions)) == 16
        assert all(question.shape[1:] == (8, 8) for question in loopback.questions)
        orders.append([image.tobytes() for question in loopback.questions for image in question])
    first, second = orders
    assert len(first) == SPLITS["held_out"]
    assert set(first) == set(second) == row_set(images_of(digits.held_out))
    assert first != second


def train_and_load(digits: Folders, artifact: Path, seconds: float, seed: int = 0) -> Any:
    """The baseline, trained in this process; its `load`ed function and its module."""
    baseline = load_module(DIGITS / "train.py")
    artifact.mkdir(parents=True, exist_ok=True)
    baseline.train(digits.train.parent, artifact, seed, seconds)
    return baseline.load(artifact)


def test_the_baseline_is_far_better_than_knowing_nothing(digits: Folders, tmp_path: Path) -> None:
    """Half a second is enough for under 1 bit on every split that is scored."""
    answer = train_and_load(digits, tmp_path, seconds=0.5)
    for folder in (digits.rehearsal, digits.held_out, digits.vault):
        assert bits_of(folder, answer) < 1


def test_the_baseline_leaves_something_that_loads_when_there_is_no_time(
    digits: Folders, tmp_path: Path
) -> None:
    """Weights are written before the first epoch, so a budget that is over is still scored."""
    answer = train_and_load(digits, tmp_path, seconds=0.0)
    assert [path.name for path in tmp_path.iterdir()] == ["weights.npz"]
    assert bits_of(digits.held_out, answer) < 10


def test_the_baseline_depends_on_the_seed_alone(digits: Folders, tmp_path: Path) -> None:
    """The first weights are the same for the same seed and others for another."""
    images = images_of(digits.rehearsal)
    first, again, other = (
        train_and_load(digits, tmp_path / str(number), 0.0, seed)(images)
        for number, seed in enumerate((1, 1, 2))
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_baseline_makes_no_container_import_torch() -> None:
    """torch costs seconds a container, and runners import it where the text has its name."""
    assert warm_modules((DIGITS / "train.py").read_text("utf-8")) == ()


def test_the_front_matter_is_accepted_and_asks_for_little() -> None:
    """The settings parse, the budget is three seconds, and one CPU and no GPU are enough."""
    settings, prose = parse_program((DIGITS / "program.md").read_text("utf-8"))
    assert (settings.budget_seconds, settings.cpus, settings.gpus) == (3, 1, 0)
    assert settings.metric == "bits"
    assert settings.keep is Keep.confirmed
    assert "Handwritten digits" in prose
