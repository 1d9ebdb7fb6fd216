"""tasks/marketing: what a log has and what it has not, customers kept whole, an exact profit."""

import inspect
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from controller.agents.marks import marked
from sandbox.tasks.candidate import check_candidate, warm_modules
from sandbox.tasks.settings import parse_program
from sealed_task import Folders, Invalid, Score
from tests.support.predictors import Loopback, local_predictors
from tests.support.shop import MARKETING, package
from tests.support.tasks import ROOT, load_module, prepared

PREPARE = load_module(MARKETING / "prepare.py")
TRAIN = load_module(MARKETING / "train.py")
BETTER = load_module(ROOT / "tests" / "candidates" / "marketing.py")
PACKAGE = package(300)
LOGGED, SEALED = ("train", "rehearsal"), ("held_out", "vault")
SPLITS = (*LOGGED, *SEALED)
LOG = ["chances", "contexts", "customers", "earned", "shown"]
FULL = ["contexts", "customers", "profits"]
SHARES = {"train": 0.4, "rehearsal": 0.1, "held_out": 0.25, "vault": 0.25}

Rows = NDArray[Any]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, int], Folders]:
    """Prepares splits of made-up receipts below a folder, under a salt."""
    monkeypatch.setattr(PREPARE, "download", lambda: PACKAGE)
    return lambda folder, salt: prepared(PREPARE, folder, salt)


@pytest.fixture
def shop(make: Callable[[Path, int], Folders], tmp_path: Path) -> Folders:
    """The four splits under one salt."""
    return make(tmp_path, 1)


def read(folder: Path) -> dict[str, Rows]:
    return {path.stem: np.load(path, allow_pickle=False) for path in folder.glob("*.npy")}


def visits_under(salt: int, receipts: Rows) -> tuple[Rows, Rows, Rows]:
    contexts, customers, profits = PREPARE.visits_of(receipts, np.random.default_rng(salt))
    return contexts, customers, profits


def anything(contexts: Rows) -> Rows:
    """Every offer as likely as the others."""
    return np.full((len(contexts), 8), 1 / 8)


def score_of(folder: Path, answer: Callable[[Rows], Any], salt: int | None = None) -> Score:
    result = PREPARE.score(folder, local_predictors(answer, salt))
    assert isinstance(result, Score)
    return result


# ---- the data ---------------------------------------------------------------------------------


def test_receipts_are_read_as_they_are() -> None:
    """With the mark at the file's beginning, quotes, ages that are empty, and prices."""
    receipts = PREPARE.read(PACKAGE)
    assert set(receipts["age"]) >= {"", "<25", "25-29", ">65"}
    assert set(receipts["area"]) >= {"115", "Others"}
    assert receipts["class"].min() == 100
    assert (receipts["price"] >= receipts["cost"] - 10).all()
    assert receipts["price"].dtype == receipts["cost"].dtype == np.float64


@pytest.mark.parametrize(("text", "day"), [("11/1/2000", -92), ("1/31/2001", -1), ("2/1/2001", 0)])
def test_february_is_to_be_decided(text: str, day: int) -> None:
    """Days are counted from its first, across the turn of the year."""
    assert PREPARE.day_of(text) == day


def test_contexts_and_profits_are_what_the_receipts_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted by hand, visit by visit, for every customer; here all earlier visits are known."""
    monkeypatch.setattr(PREPARE, "CARD_SHOWN", 1.0)
    receipts = PREPARE.read(PACKAGE)
    contexts, customers, profits = visits_under(0, receipts)
    days = np.array([PREPARE.day_of(str(text)) for text in receipts["date"]])
    earlier = receipts[days < 0]
    totals = {
        kind: (earlier["price"] - earlier["cost"])[earlier["class"] == kind].sum()
        for kind in np.unique(earlier["class"])
    }
    offers = sorted(totals, key=lambda kind: -totals[kind])[:8]
    names = np.unique(receipts["customer"])
    row = 0
    for number, name in enumerate(names):
        lines, when = receipts[receipts["customer"] == name], days[receipts["customer"] == name]
        past = lines[when < 0]
        visits = len(set(past["date"]))
        bought = [len(set(past["date"][past["class"] == offer])) for offer in offers]
        sales = round(math.log2(max(past["price"].sum() / max(visits, 1), 1)))
        for day in sorted(set(when[when >= 0])):
            basket = lines[when == day]
            gains = basket["price"] - basket["cost"]
            expected = [gains[basket["class"] == offer].sum() for offer in offers]
            assert customers[row] == number
            assert contexts[row, 2:].tolist() == [visits, sales, *bought]
            assert profits[row] == pytest.approx(expected)
            row += 1
    assert row == len(contexts)


def test_nothing_of_a_visit_or_later_is_in_a_context() -> None:
    """Were February's baskets others, all contexts would be the same."""
    receipts = PREPARE.read(PACKAGE)
    later = np.array([PREPARE.day_of(str(text)) for text in receipts["date"]]) >= 0
    other = receipts.copy()
    rng = np.random.default_rng(0)
    for column in ("class", "cost", "price"):
        other[column][later] = rng.permutation(receipts[column][later])
    (contexts, _, profits), (same, _, others) = (visits_under(3, r) for r in (receipts, other))
    assert np.array_equal(contexts, same)
    assert not np.array_equal(profits, others)


def test_a_context_is_no_key_to_a_public_file() -> None:
    """Which half of the earlier visits is known depends on the salt, visit by visit."""
    receipts = PREPARE.read(PACKAGE)
    (one, customers, profits), (other, _, same) = (visits_under(salt, receipts) for salt in (1, 2))
    assert np.array_equal(profits, same)
    known = one[:, PREPARE.VISITS] > 3
    assert (one[known] == other[known]).all(axis=1).mean() < 0.05
    for customer in np.unique(customers):
        assert len(np.unique(one[customers == customer], axis=0)) == 1


def test_bulk_is_bounded() -> None:
    """No offer earns or loses more than 100 NT$ on a visit, however much or often it was bought."""
    receipts = np.tile(PREPARE.read(PACKAGE), 3)
    receipts["price"] *= 100
    _, _, profits = visits_under(0, receipts)
    assert (profits.min(), profits.max()) == (0, 100)
    receipts["price"] *= -1
    assert visits_under(0, receipts)[2].min() == -100


def test_customers_are_whole(make: Callable[[Path, int], Folders], tmp_path: Path) -> None:
    """Each is in one split, with all visits; splits have their shares, and the salt deals."""
    _, customers, _ = visits_under(0, PREPARE.read(PACKAGE))
    sizes = np.sort(np.bincount(np.unique(customers, return_inverse=True)[1]))
    found = []
    for salt in (1, 2):
        to = make(tmp_path / str(salt), salt)
        counts = {name: np.bincount(read(getattr(to, name))["customers"]) for name in SPLITS}
        assert np.array_equal(np.sort(np.concatenate(list(counts.values()))), sizes)
        for name, share in SHARES.items():
            assert len(counts[name]) == pytest.approx(share * len(sizes), abs=1)
        found.append(counts)
    assert any(not np.array_equal(found[0][name], found[1][name]) for name in SPLITS)


def test_files_are_as_prepare_says(shop: Folders) -> None:
    """A log where the trainer reads, all profits where it does not, in the types that are told."""
    types = {"contexts": "float32", "customers": "int64", "shown": "int64"}
    for name in SPLITS:
        files = read(getattr(shop, name))
        assert sorted(files) == (LOG if name in LOGGED else FULL)
        assert len({len(array) for array in files.values()}) == 1
        for file, array in files.items():
            assert array.dtype == types.get(file, "float64")
            assert f"`{file}.npy`, {array.dtype}" in inspect.getdoc(PREPARE)
        assert files["contexts"].shape[1] == 12
        assert files["contexts"][:, 0].max() <= 10
        assert files["contexts"][:, 1].max() <= 7


@given(st.integers(0, 2**32 - 1))
def test_the_chances_are_the_policys(tmp_path_factory: pytest.TempPathFactory, salt: int) -> None:
    """What was bought least is shown more, on half of the visits; the context alone decides."""
    rng, folder = np.random.default_rng(salt), tmp_path_factory.mktemp("log")
    contexts = np.zeros((200, 12), dtype=np.float32)
    contexts[:, PREPARE.BOUGHT :] = rng.integers(0, 3, (200, 8))
    profits = rng.normal(0, 20, (200, 8))
    PREPARE.write_log(folder, contexts, profits, rng)
    log = read(folder)
    for context, shown, chance, earned, row in zip(
        contexts, log["shown"], log["chances"], log["earned"], profits, strict=True
    ):
        bought = context[PREPARE.BOUGHT :].tolist()
        least = bought.count(min(bought)) if bought[shown] == min(bought) else math.inf
        assert chance == pytest.approx(0.5 / 8 + 0.5 / least)
        assert earned == row[shown]


def test_offers_are_shown_as_often_as_their_chances_say(tmp_path: Path) -> None:
    """So one over the chance is the right weight."""
    contexts = np.zeros((40_000, 12), dtype=np.float32)
    contexts[:, PREPARE.BOUGHT :] = [0, 0, 1, 2, 3, 1, 1, 1]
    PREPARE.write_log(tmp_path, contexts, np.zeros((40_000, 8)), np.random.default_rng(0))
    shares = np.bincount(read(tmp_path)["shown"], minlength=8) / 40_000
    assert shares == pytest.approx([0.3125] * 2 + [0.0625] * 6, abs=0.01)


# ---- the score --------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1))
def test_the_profit_is_the_expected_one(salt: int) -> None:
    """Summed by hand; and where the chances sum to a little more than 1, it is no more."""
    rng = np.random.default_rng(salt)
    answer, profits = rng.dirichlet(np.ones(8), 5), rng.normal(0, 30, (5, 8))
    expected = [
        100 * math.fsum(chance * profit for chance, profit in zip(*row, strict=True))
        for row in zip(answer, profits, strict=True)
    ]
    assert PREPARE.expected_profit(answer, profits) == pytest.approx(expected)
    almost = PREPARE.expected_profit((1 + 9e-7) * answer, profits)
    assert almost == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("sum_of_row", [0.0, 1 - 1.1e-6, 1 + 1.1e-6, 8.0])
def test_rows_sum_to_one(shop: Folders, sum_of_row: float) -> None:
    """Within a millionth; less or more is invalid."""
    with pytest.raises(Invalid, match="do not sum to 1"):
        score_of(shop.held_out, lambda contexts: sum_of_row * anything(contexts))


@pytest.mark.parametrize("value", [math.nan, math.inf, -0.1, 1.1])
def test_a_chance_is_from_0_to_1(shop: Folders, value: float) -> None:
    """Sums of 1 are not enough: what is below 0 would be an offer sold short."""

    def answer(contexts: Rows) -> Rows:
        chances = np.eye(8)[np.zeros(len(contexts), dtype=int)]
        chances[0, :2] = value, 1 - value
        return chances

    with pytest.raises(Invalid):
        score_of(shop.held_out, answer)


def test_values_are_the_visits_in_the_order_of_the_file(shop: Folders) -> None:
    """Whatever the order of asking, a visit's value is its own, in customers' blocks."""
    files = read(shop.held_out)
    files["contexts"][:, PREPARE.VISITS] = np.arange(len(files["contexts"])) % 3
    np.save(shop.held_out / "contexts.npy", files["contexts"])

    def least(contexts: Rows) -> Rows:
        return np.eye(8)[contexts[:, PREPARE.BOUGHT :].argmin(axis=1)]

    one, other = (score_of(shop.held_out, least, salt) for salt in (1, 2))
    chosen = files["contexts"][:, PREPARE.BOUGHT :].argmin(axis=1)
    assert one.values == pytest.approx(100 * files["profits"][np.arange(len(chosen)), chosen])
    assert np.array_equal(one.values, other.values)
    assert np.array_equal(one.block, files["customers"])
    new = files["contexts"][:, PREPARE.VISITS] == 0
    assert np.array_equal(one.slices["new customers"], new)


def test_questions_are_small_and_in_a_secret_order(shop: Folders) -> None:
    """Each visit once, no more than 16 at a time, and nothing but contexts."""
    files, orders = read(shop.held_out), []
    for _ in range(2):
        loopback = Loopback(anything)
        PREPARE.score(shop.held_out, PREPARE.Predictors(loopback.requests, loopback.replies))
        assert loopback.most_under_way == 1
        assert all(len(question) <= 16 for question in loopback.questions)
        orders.append(np.concatenate(loopback.questions))
    for order in orders:
        assert np.array_equal(np.sort(order, axis=0), np.sort(files["contexts"], axis=0))
        assert not np.array_equal(order, files["contexts"])
    assert not np.array_equal(*orders)


def test_the_rehearsal_is_right_in_the_mean(tmp_path: Path) -> None:
    """Logs of the same visits estimate, on average, what all profits give exactly."""
    contexts, customers, profits = visits_under(0, PREPARE.read(PACKAGE))
    rng, estimates = np.random.default_rng(1), []
    for number in range(60):
        (folder := tmp_path / str(number)).mkdir()
        np.save(folder / "contexts.npy", contexts)
        np.save(folder / "customers.npy", customers)
        PREPARE.write_log(folder, contexts, profits, rng)
        assert not (folder / "profits.npy").exists()
        estimates.append(score_of(folder, anything).values.mean())
    exact = PREPARE.expected_profit(anything(contexts), profits).mean()
    error = np.std(estimates) / math.sqrt(len(estimates))
    assert error < exact / 10
    assert abs(np.mean(estimates) - exact) < 4 * error


# ---- program.md, train.py and the better candidate --------------------------------------------


def test_the_front_matter_is_accepted() -> None:
    """Higher is better, and a gain is kept where it is more than two standard errors."""
    front, prose = parse_program((MARKETING / "program.md").read_text("utf-8"))
    assert front.metric == "NT$ per hundred visits"
    assert (front.goal, front.min_gain) == ("maximize", 25)
    assert "luck" in prose
    assert f"at most {PREPARE.MOST_PROFIT:.0f} NT$" in prose
    for file in LOG:
        assert f"| `{file}.npy` |" in prose


def test_the_baseline_has_constants_to_search() -> None:
    """Its marks can be read."""
    names = {constant.name for constant in marked((MARKETING / "train.py").read_text()).constants}
    assert names == {"RIDGE", "SHARPNESS", "HISTORY", "WEIGHTS"}


@pytest.mark.parametrize("history", ["total", "counts", "shares"])
@pytest.mark.parametrize("weights", ["none", "chances"])
def test_each_word_of_the_baseline_works(
    shop: Folders,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    history: str,
    weights: str,
) -> None:
    """Whatever a search sets, there are answers for known and for new customers."""
    monkeypatch.setattr(TRAIN, "HISTORY", history)
    monkeypatch.setattr(TRAIN, "WEIGHTS", weights)
    (artifact := tmp_path / "artifact").mkdir()
    TRAIN.train(shop.train.parent, artifact, 1, 2.0)
    assert np.isfinite(score_of(shop.held_out, TRAIN.load(artifact)).values).all()


def test_habits_gain(shop: Folders, tmp_path: Path) -> None:
    """On visits of others, the better candidate earns more than the baseline on each split."""
    found = {}
    for name, module in (("baseline", TRAIN), ("better", BETTER)):
        path = Path(str(module.__file__))
        check_candidate(text := path.read_text("utf-8"))
        assert warm_modules(text) == ()
        (artifact := tmp_path / name).mkdir()
        module.train(shop.train.parent, artifact, 1, 2.0)
        assert [file.name for file in artifact.iterdir()] == ["coefficients.npy"]
        found[name] = [
            score_of(getattr(shop, split), module.load(artifact)).values.mean() for split in SEALED
        ]
    assert min(found["better"]) > max(found["baseline"]) + 100
