"""tasks/trading: nothing of the future in a question, exact costs, and a score that is a ratio."""

import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from controller.agents.marks import marked
from sandbox.tasks.candidate import check_candidate, warm_modules
from sandbox.tasks.settings import parse_program
from sealed_task import Folders, Invalid, Predictors, Score
from tests.support.market import TRADING, archive
from tests.support.predictors import Loopback, local_predictors
from tests.support.tasks import ROOT, load_module, prepared

PREPARE = load_module(TRADING / "prepare.py")
TRAIN = load_module(TRADING / "train.py")
BETTER = ROOT / "tests" / "candidates" / "trading.py"
SCORED = ("rehearsal", "held_out", "vault")
SPLITS = ("train", *SCORED)
DAYS = 400
HIGH, LOW, CLOSE = range(3)

Floats = NDArray[np.float64]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, int], Folders]:
    """Prepares splits of made-up days below a folder, under a salt."""
    monkeypatch.setattr(PREPARE, "download", lambda: archive(DAYS, 0.01, (0.05, 0.05), 0.0))
    return lambda folder, salt: prepared(PREPARE, folder, salt)


def moves_of(folder: Path) -> Floats:
    return np.asarray(np.load(folder / "moves.npy", allow_pickle=False))


def half(today: Any) -> Floats:
    """Holds half of each."""
    return np.array([0.5, 0.5])


def score_of(folder: Path, answer: Callable[[Any], Any]) -> Score:
    result = PREPARE.score(folder, local_predictors(answer))
    assert isinstance(result, Score)
    return result


# ---- the data ---------------------------------------------------------------------------------


def test_the_archive_is_read_as_it_is() -> None:
    """High, low and close of both indices, in this order, and no other column."""
    prices = PREPARE.read(archive(DAYS, 0.01, (0, 0), 0.0))
    assert prices.shape == (DAYS, 2, 3)
    assert (prices[:, :, HIGH] >= prices[:, :, CLOSE]).all()
    assert (prices[:, :, LOW] <= prices[:, :, CLOSE]).all()
    assert not np.array_equal(prices[:, 0], prices[:, 1])


def test_splits_are_runs_of_days_in_the_order_of_time() -> None:
    """Under any salt they do not touch each other, and are as long as their shares say."""
    for salt in range(200):
        cut = PREPARE.cut(5030, np.random.default_rng(salt))
        assert tuple(cut) == SPLITS
        ends = [0]
        for name, days in cut.items():
            assert days.stop - days.start == round(PREPARE.SHARES[name] * 5030)
            assert days.start >= ends[-1] + (PREPARE.LEAST_GAP if len(ends) > 1 else 0)
            ends.append(days.stop)
        assert ends[-1] <= 5030


def test_the_salt_decides_cuts_scales_and_errors(
    make: Callable[[Path, int], Folders], tmp_path: Path
) -> None:
    """The same salt makes the same files; another one moves the cuts, and no number is as it was.

    The splits begin somewhere within half a year and more, so their days can't be counted off.
    """
    first, again, other = (make(tmp_path / str(n), salt) for n, salt in enumerate((1, 1, 2)))
    for name in SPLITS:
        one, same, another = (moves_of(getattr(to, name)) for to in (first, again, other))
        assert np.array_equal(one, same)
        assert not np.intersect1d(one, another).size
    starts = [PREPARE.cut(5030, np.random.default_rng(n))["held_out"].start for n in range(100)]
    assert np.ptp(starts) > 130


def test_no_figure_of_the_public_file_is_in_the_data(
    make: Callable[[Path, int], Folders], tmp_path: Path
) -> None:
    """No move, and no place of a close in its day's range, equals that of the history."""
    make(tmp_path, 1)
    prices = PREPARE.read(PREPARE.download())
    public = np.log(prices[1:] / prices[:-1, :, CLOSE:])
    hidden = moves_of(tmp_path / "sealed" / "held_out")
    for of in (
        lambda moves: moves.ravel(),
        lambda moves: ((moves[..., CLOSE] - moves[..., LOW]) / np.ptp(moves, axis=2)).ravel(),
    ):
        shared = np.intersect1d(of(public).round(9), of(hidden).round(9))
        assert set(shared) <= {0.0, 1.0}


def test_a_disguised_day_is_still_a_day() -> None:
    """High and low hold the close between them, and the correlation with the truth is left."""
    moves = np.log(PREPARE.read(archive(DAYS, 0.01, (0, 0), 0.0)))
    moves = moves[1:] - moves[:-1, :, CLOSE:]
    hidden = PREPARE.disguise(moves, np.random.default_rng(0))
    assert (hidden[..., HIGH] >= hidden[..., CLOSE]).all()
    assert (hidden[..., LOW] <= hidden[..., CLOSE]).all()
    for index in range(2):
        pair = np.corrcoef(moves[:, index, CLOSE], hidden[:, index, CLOSE])
        assert 0.98 < pair[0, 1] < 1


# ---- no future in a question ------------------------------------------------------------------


@settings(max_examples=30)
@given(st.integers(1, DAYS - 1), st.integers(0, 2**32 - 1))
def test_no_question_depends_on_a_later_day(day: int, seed: int) -> None:
    """With all that comes after a day changed, the questions up to it are the same, to the byte.

    From the archive's prices to what the scorer sends: no scale, maximum or number of days to come
    is in any of them.
    """
    history = PREPARE.read(archive(DAYS, 0.01, (0.05, 0.05), 0.0))
    changed = history.copy()
    changed[day:] *= np.random.default_rng(seed).uniform(0.5, 3, changed[day:].shape)
    for name in SCORED:
        days = PREPARE.cut(DAYS - 1, np.random.default_rng(7))[name]
        first, second = questions_of(history, name), questions_of(changed, name)
        assert len(first) == len(second) == days.stop - days.start - 1
        known = max(0, day - 1 - days.start)  # the move to a day needs the day itself
        assert first[:known] == second[:known]
        assert not set(first[known:]) & set(second[known:])


def test_control_a_scale_of_the_whole_period_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Divided by the largest move of its split, each question tells of the days to come."""
    monkeypatch.setattr(PREPARE, "disguise", lambda moves, _: moves / np.abs(moves).max())
    history = PREPARE.read(archive(DAYS, 0.01, (0.05, 0.05), 0.0))
    changed = history.copy()
    changed[PREPARE.cut(DAYS - 1, np.random.default_rng(7))["held_out"].stop] *= 2
    first, second = questions_of(history, "held_out"), questions_of(changed, "held_out")
    assert not set(first) & set(second)


def questions_of(prices: Floats, name: str) -> list[bytes]:
    """What a predictor is sent of a split, when these are the archive's prices."""
    questions: list[bytes] = []

    def answer(today: Any) -> Floats:
        assert (today.dtype, today.shape) == (np.dtype("<f8"), (2, 3))
        questions.append(today.tobytes())
        return half(today)

    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(PREPARE, "download", lambda: b"")
        patch.setattr(PREPARE, "read", lambda _: prices)
        score_of(getattr(prepared(PREPARE, Path(folder), salt=7), name), answer)
    return questions


def test_a_day_is_asked_when_the_day_before_is_answered(
    make: Callable[[Path, int], Folders], tmp_path: Path
) -> None:
    """One question under way, never two; each is one row of the file, in order; the last earns."""
    folder = make(tmp_path, 1).held_out
    loopback = Loopback(half)
    PREPARE.score(folder, Predictors(loopback.requests, loopback.replies))
    assert loopback.most_under_way == 1
    assert np.array_equal(loopback.questions, moves_of(folder)[:-1])
    assert loopback.events.count("open") == 1


# ---- what a position earns --------------------------------------------------------------------


def naive_returns(positions: Floats, closes: Floats) -> Floats:
    """The account, day by day and index by index."""
    returns = np.zeros(len(closes))
    held = [0.0, 0.0]
    for day, move in enumerate(closes):
        for index in range(2):
            capital, wanted = 0.5, float(positions[day, index])
            cost = 0.0002 * abs(wanted - held[index]) * capital
            returns[day] += capital * wanted * (math.exp(move[index]) - 1) - cost
            held[index] = wanted
    returns[-1] -= 0.0002 * 0.5 * (abs(held[0]) + abs(held[1]))
    return returns


@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
def test_costs_are_paid_for_every_change(seed: int, days: int) -> None:
    """To begin, in between and at the end, as an account that is kept by hand says."""
    rng = np.random.default_rng(seed)
    positions, closes = rng.uniform(-1, 1, (days, 2)), rng.normal(0, 0.01, (days, 2))
    assert PREPARE.earned(positions, closes) == pytest.approx(naive_returns(positions, closes))


def test_from_long_to_short_is_two_trades() -> None:
    """On days when nothing moves, there is nothing but costs: one, two and one again."""
    positions = np.array([[1.0, 1], [-1, -1]])
    assert PREPARE.earned(positions, np.zeros((2, 2))) == pytest.approx([-2e-4, -6e-4])


def test_the_score_is_the_sharpe_ratio(
    make: Callable[[Path, int], Folders], tmp_path: Path
) -> None:
    """The values' mean is the textbook's, whatever the positions; one value a day that earns."""
    folder = make(tmp_path, 1).held_out
    closes = moves_of(folder)[1:, :, CLOSE]
    positions = np.random.default_rng(0).uniform(-1, 1, closes.shape)
    waiting = iter(positions)
    values = score_of(folder, lambda _: next(waiting)).values
    returns = naive_returns(positions, closes)
    assert values.shape == returns.shape
    expected = math.sqrt(252) * returns.mean() / returns.std()
    assert values.mean() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("size", [0.0, 1e-200, 1e-9, 1e-3])
def test_a_smaller_bet_is_no_better(
    make: Callable[[Path, int], Folders], tmp_path: Path, size: float
) -> None:
    """The ratio has no unit of size; towards none it goes to 0, and never to infinity."""
    folder = make(tmp_path, 1).held_out
    whole = score_of(folder, half).values.mean()
    part = score_of(folder, lambda today: size * half(today)).values.mean()
    assert min(whole, 0) - 1e-12 <= part <= max(whole, 0) + 1e-12
    if size == 0:
        assert part == 0


@pytest.mark.parametrize("value", [math.nan, math.inf, 1 + 1e-9, -1.5])
def test_no_position_is_larger_than_the_capital(
    make: Callable[[Path, int], Folders], tmp_path: Path, value: float
) -> None:
    """Nor is it no number: either is `invalid`, on the first day that has it."""
    with pytest.raises(Invalid):
        score_of(make(tmp_path, 1).held_out, lambda _: np.array([0.5, value]))


# ---- blocks and slices ------------------------------------------------------------------------


def test_blocks_and_slices_are_the_datas(
    make: Callable[[Path, int], Folders], tmp_path: Path
) -> None:
    """Months of days, and the same days of drawdown, whatever a candidate answers."""
    folder = make(tmp_path, 1).held_out
    first, second = score_of(folder, half), score_of(folder, lambda today: -half(today))
    assert not np.array_equal(first.values, second.values)
    for score in (first, second):
        assert score.block is not None
        assert np.bincount(score.block)[:-1].tolist() == [21] * int(score.block[-1])
        assert list(score.slices) == ["drawdown"]
        assert np.array_equal(score.slices["drawdown"], first.slices["drawdown"])


def test_a_drawdown_is_known_before_its_day() -> None:
    """It is made of days that begin far below the peak, and of as many in a year as in another."""
    closes = np.zeros((8, 2))
    closes[2], closes[4], closes[5] = -0.1, 0.09, 0.05
    assert PREPARE.drawdown(closes).tolist() == [0, 0, 0, 1, 1, 0, 0, 0]
    rng = np.random.default_rng(0)
    for _ in range(20):
        share = PREPARE.drawdown(rng.normal(0, 0.01, (400, 2))).mean()
        assert 0.25 <= share <= 0.26


# ---- program.md, train.py and the better candidate --------------------------------------------


def test_the_front_matter_is_accepted() -> None:
    """Higher is better, and a gain is kept where it is more than a standard error."""
    front, prose = parse_program((TRADING / "program.md").read_text("utf-8"))
    assert (front.metric, front.goal, front.min_gain) == ("Sharpe ratio", "maximize", 0.5)
    assert "luck" in prose
    assert "by heart" in prose
    assert f"{PREPARE.COST:.4f} of whatever" in prose


def test_the_baseline_has_constants_to_search() -> None:
    """Its marks can be read."""
    names = {constant.name for constant in marked((TRADING / "train.py").read_text()).constants}
    assert names == {"DAYS", "STRENGTH", "TILT", "PACE"}


@pytest.mark.parametrize("path", [TRADING / "train.py", BETTER], ids=["baseline", "better"])
def test_a_strategy_is_a_candidate_that_trades(
    make: Callable[[Path, int], Folders], tmp_path: Path, path: Path
) -> None:
    """Small, quick, with a finite score on each split, and not always of one mind."""
    check_candidate(text := path.read_text("utf-8"))
    assert warm_modules(text) == ()
    to, module = make(tmp_path, 1), load_module(path)
    (artifact := tmp_path / "artifact").mkdir()
    module.train(tmp_path / "public", artifact, 1, 2.0)
    assert len(list(artifact.iterdir())) == 1
    for name in SCORED:
        folder, answer = getattr(to, name), module.load(artifact)
        assert np.std([answer(today) for today in moves_of(folder)]) > 0.05
        assert np.isfinite(score_of(folder, module.load(artifact)).values).all()


def test_the_baseline_follows_a_trend(tmp_path: Path) -> None:
    """It buys what rises and sells what falls short, each index for itself."""
    np.save(tmp_path / "ordinary.npy", np.full(2, 0.01))
    answer = TRAIN.load(tmp_path)
    for _ in range(100):
        positions = answer(np.array([[0.01, 0, 0.005], [0, -0.01, -0.005]]))
    assert positions.tolist() == [1, -1]
