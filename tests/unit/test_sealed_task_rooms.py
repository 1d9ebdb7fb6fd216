"""The two rooms' parts, and what they show of honest candidates."""

import itertools
from functools import partial

import numpy as np
import pytest

from sealed_task import Array, Audit, Dishonest, Invalid, rooms, two_rooms
from tests.support.room_cheats import Cheat, Noisy, Spread
from tests.support.rooms import CEILING, Floats, Ngram, Played, Tokens, language

LENGTH = 512
DRAWS = Audit().draws


@pytest.fixture(scope="module")
def spoken() -> tuple[Ngram, Tokens, Floats]:
    """An honest model, windows, and the reference's prices of them."""
    train, windows = language(160, LENGTH)
    return Ngram(4, train), windows, Ngram(3, train).losses(windows)


def prices_of(seed: int, windows: int = 40, length: int = 60) -> tuple[Floats, Floats]:
    """Claims and reference prices without any sense, some of them zero and some extreme."""
    rng = np.random.default_rng(seed)
    claims, reference = rng.exponential(2, (2, windows, length)).clip(max=CEILING)
    reference[: windows // 4] = 0  # nothing undercuts, nothing surprises
    claims[windows // 4] = reference[windows // 4]
    reference[windows // 2, 3] = 1e9  # one position draws all to itself
    return claims, reference


# ---- drawing -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("draws", [1, 2, 4, 30, 59, 60])
def test_chances_sum_to_the_draws_and_bound_the_weights(seed: int, draws: int) -> None:
    """No chance is above 1, none so low that a difference counts more than twice."""
    claims, reference = prices_of(seed)
    chances = rooms.inclusion(claims, reference, draws)
    assert chances.sum(axis=1) == pytest.approx(draws)
    assert chances.max() <= 1
    weights = 1 / (claims.shape[1] * chances)
    assert weights.max() <= 2 / draws * (1 + 1e-9)


def test_an_undercut_draws_more_than_in_proportion() -> None:
    """Twice the undercut has four times the chance that it adds; what surprises has some more."""
    reference = np.full((1, 1000), 2.0)
    claims = reference.copy()
    claims[0, 10], claims[0, 20] = 1.5, 1.0
    chances = rooms.inclusion(claims, reference, 1)
    idle = chances[0, 0]
    assert idle == pytest.approx(0.75 / 1000, rel=1e-6)
    assert (chances[0, 20] - idle) / (chances[0, 10] - idle) == pytest.approx(4)
    reference[0, 30] = claims[0, 30] = 8.0
    surprised = rooms.inclusion(claims, reference, 1)
    assert surprised[0, 30] == pytest.approx(0.5 / 1000 + 0.25 * 8 / 2006)


@pytest.mark.parametrize("draws", [0, 61])
def test_as_many_draws_as_there_are_positions(draws: int) -> None:
    """A number of draws that a window does not have is refused."""
    with pytest.raises(ValueError, match=f"{draws} draws from 60 positions"):
        rooms.inclusion(*prices_of(0), draws)


@pytest.mark.parametrize("draws", [1, 4, 60])
def test_positions_are_distinct_ascending_and_drawn_by_their_chance(draws: int) -> None:
    """Over many drawings each position comes as often as its chance says."""
    rng = np.random.default_rng(3)
    chances = rooms.inclusion(*prices_of(1), draws)
    counts = np.zeros(chances.shape)
    for _ in range(1000):
        positions = rooms.draw(chances, draws, rng)
        assert positions.shape == (len(chances), draws)
        assert (np.diff(positions, axis=1) > 0).all()
        counts[np.arange(len(chances))[:, None], positions] += 1
    spread = np.sqrt(chances * (1 - chances) / 1000) + 1e-3
    assert (np.abs(counts / 1000 - chances) < 5 * spread).all()


def test_which_positions_come_together_is_not_arranged() -> None:
    """Two positions as far apart as systematic marks lie are drawn together by chance alone."""
    chances = np.full((2000, 100), 0.04)
    positions = rooms.draw(chances, 4, np.random.default_rng(4))
    together = (positions == 10).any(axis=1) & (positions == 35).any(axis=1)
    assert together.sum() < 12  # 2 of 2000 by chance; 80 where marks lie 25 positions apart


def test_the_weighted_differences_are_unbiased() -> None:
    """Whatever was claimed, the mean over drawings is the mean of all differences."""
    rng = np.random.default_rng(5)
    claims, reference = prices_of(2)
    differences = rng.normal(size=claims.shape) + np.where(claims < 0.5, 3, 0)
    chances = rooms.inclusion(claims, reference, 3)
    estimates = []
    for _ in range(3000):
        positions = rooms.draw(chances, 3, rng)
        drawn = np.take_along_axis(differences / chances, positions, axis=1)
        estimates.append(drawn.sum(axis=1) / claims.shape[1])
    errors = np.mean(estimates, axis=0) - differences.mean(axis=1)
    assert (np.abs(errors) < 5 * np.std(estimates, axis=0) / np.sqrt(3000) + 1e-9).all()


def test_chances_go_with_their_positions() -> None:
    """Windows and positions in another order have the same chances in that order."""
    claims, reference = prices_of(6)
    rng = np.random.default_rng(6)
    rows, columns = rng.permutation(40), rng.permutation(60)
    chances = rooms.inclusion(claims, reference, 4)[rows][:, columns]
    moved = rooms.inclusion(claims[rows][:, columns], reference[rows][:, columns], 4)
    assert moved == pytest.approx(chances)


# ---- pricing and verdict -----------------------------------------------------------------------


def test_prices_are_exact_and_clipped() -> None:
    """A log-softmax in float64, from any finite logits, up to the ceiling."""
    logits = np.array([[0, 0, 0, 0], [0, 9, -9, 0], [3e38, -3e38, 0, 0], [3e38] * 4], "f4")
    tokens = np.array([2, 1, 1, 3], "u1")
    exact = [np.log(4), np.log1p(2 * np.exp(-9) + np.exp(-18)), CEILING, np.log(4)]
    assert rooms.prices(logits, tokens, CEILING) == pytest.approx(exact, rel=1e-12)


def test_one_difference_or_the_mean_is_judged() -> None:
    """Both directions count; four standard errors of the correction itself are allowed."""
    audit = Audit(tolerance=0.001, hard_tolerance=0.05)
    for sign in (1, -1):
        assert not rooms.single_fault(np.array([0, 0.049 * sign]), audit)
        assert rooms.single_fault(np.array([0, 0.051 * sign]), audit)
        assert not rooms.mean_fault(np.full(100, 0.0009 * sign), audit)
        assert rooms.mean_fault(np.full(100, 0.0011 * sign), audit)
        spread = np.tile([0.01, -0.01], 50)  # a standard error of 0.001
        assert not rooms.mean_fault(spread + 0.0039 * sign, audit)
        assert rooms.mean_fault(spread + 0.0042 * sign, audit)


def test_a_noisy_baseline_widens_the_tolerances_and_a_quiet_one_does_not() -> None:
    """They are twice what it shows, and never less than the strict ones."""
    audit = Audit(tolerance=0.001, hard_tolerance=0.05)
    quiet = rooms.Heard(np.zeros((2, 3)), np.zeros((2, 1)), np.zeros(2))
    assert rooms.floored(audit, quiet) == audit
    noisy = rooms.Heard(np.zeros((2, 3)), np.array([[0.1], [-0.3]]), np.array([0, -0.02]))
    wide = rooms.floored(audit, noisy)
    assert (wide.tolerance, wide.hard_tolerance) == (pytest.approx(0.02), pytest.approx(0.6))


# ---- honest candidates -------------------------------------------------------------------------


def test_an_honest_candidate_is_scored_as_it_claims(spoken: tuple[Ngram, Tokens, Floats]) -> None:
    """In 20 of 20 scorings nothing is corrected but rounding, and no baseline is opened."""
    model, windows, reference = spoken
    truth = model.losses(windows).mean(axis=1)
    for salt in range(20):
        played = Played(model.load, salt=salt)
        assert two_rooms(played, windows, reference) == pytest.approx(truth, abs=1e-6)


def test_values_come_in_the_order_of_the_windows(spoken: tuple[Ngram, Tokens, Floats]) -> None:
    """Windows in another order have the same values in that order."""
    model, windows, reference = spoken
    order = np.random.default_rng(8).permutation(len(windows))
    values = two_rooms(Played(model.load), windows, reference)
    moved = two_rooms(Played(model.load, salt=1), windows[order], reference[order])
    assert moved == pytest.approx(values[order], abs=1e-6)


def test_small_noise_between_the_rooms_is_not_dishonest(
    spoken: tuple[Ngram, Tokens, Floats],
) -> None:
    """A thousandth of a nat is within the strict tolerances."""
    model, windows, reference = spoken
    truth = model.losses(windows).mean()
    for salt in range(20):
        values = two_rooms(Played(partial(Noisy, 1e-3, model), salt=salt), windows, reference)
        assert values.mean() == pytest.approx(truth, abs=5e-4)


@pytest.mark.parametrize("salt", range(3))
def test_as_noisy_as_the_baseline_is_honest(
    spoken: tuple[Ngram, Tokens, Floats], salt: int
) -> None:
    """Beyond the strict tolerances the baseline is measured, once, and decides."""
    model, windows, reference = spoken
    noisy = partial(Noisy, 0.05, model)
    played = Played(noisy, baseline=noisy, salt=salt)
    assert two_rooms(played, windows, reference).shape == (len(windows),)
    assert played.events.count("open baseline") == 2
    with pytest.raises(Dishonest):
        two_rooms(Played(noisy, baseline=model.load, salt=salt), windows, reference)


def test_a_baseline_that_errs_in_the_mean_allows_as_much(
    spoken: tuple[Ngram, Tokens, Floats],
) -> None:
    """Up to twice the baseline's own mean correction; three times is dishonest."""
    model, windows, reference = spoken
    baseline = partial(Spread, 0.002, model)
    two_rooms(Played(partial(Spread, 0.003, model), baseline=baseline), windows, reference)
    with pytest.raises(Dishonest, match="in the mean"):
        two_rooms(Played(partial(Spread, 0.006, model), baseline=baseline), windows, reference)


# ---- the order of things -----------------------------------------------------------------------


def test_positions_are_drawn_when_room_a_is_dead(spoken: tuple[Ngram, Tokens, Floats]) -> None:
    """Up to the second opening `rng` has decided the order of windows, and nothing else."""
    model, windows, reference = spoken
    played = Played(model.load)
    two_rooms(played, windows, reference)
    second = len(played.events) - played.events[::-1].index("open") - 1
    assert played.events[second - 1] == "close"
    before, after = played.events[:second], played.events[second:]
    assert [event for event in before if event.startswith("rng")] == ["rng.permutation"]
    assert {event for event in before if event.startswith("ask")} == {"ask whole"}
    assert after[:3] == ["open", "rng.permuted", "rng.random"]
    assert "ask whole" not in after


def test_no_question_to_room_b_shows_a_token_that_is_not_answered(
    spoken: tuple[Ngram, Tokens, Floats],
) -> None:
    """Each window is asked in ascending prefixes, a round at a time, in orders of their own."""
    model, windows, reference = spoken
    windows, reference = windows[:40, :24], reference[:40, :24]
    played = Played(model.load)
    two_rooms(played, windows, reference, audit=Audit(draws=6, whole_batch=7, blind_batch=9))
    whole = np.concatenate([q["windows"] for q in played.asked if q["room"] == "whole"])
    assert sorted(map(bytes, whole)) == sorted(map(bytes, windows))
    assert not np.array_equal(whole, windows)
    asked = [q["prefixes"] for q in played.asked if q["room"] == "blind"]
    assert [len(prefixes) for prefixes in asked] == [9, 9, 9, 9, 4] * 6
    longest = np.full(len(windows), -1)
    lengths = []
    for prefix in itertools.chain.from_iterable(asked):
        lengths.append(len(prefix))
        fits = [
            row for row, window in enumerate(windows) if (window[: len(prefix)] == prefix).all()
        ]
        if len(fits) == 1:
            assert longest[fits[0]] < len(prefix) < windows.shape[1]
            longest[fits[0]] = len(prefix)
    assert min(lengths) == 0, "the first token is priced too"


# ---- what is refused ---------------------------------------------------------------------------


class Above(Cheat):
    """Claims more than the ceiling."""

    def __call__(self, question: dict[str, Tokens]) -> Floats:
        return np.full(question["windows"].shape, CEILING + 0.1)


class NotANumber(Cheat):
    """Knows nothing in room B, and says so badly."""

    def blind(self, prefixes: list[Tokens]) -> Floats:
        return np.full((len(prefixes), 256), np.nan)


@pytest.mark.parametrize("kind", [Above, NotANumber])
def test_malformed_answers_are_invalid(
    spoken: tuple[Ngram, Tokens, Floats], kind: type[Cheat]
) -> None:
    """Claims lie in 0 to the ceiling, and logits are finite."""
    model, windows, reference = spoken
    with pytest.raises(Invalid):
        two_rooms(Played(partial(kind, model)), windows, reference)


@pytest.mark.parametrize(
    ("windows", "reference", "audit"),
    [
        (np.zeros((1, 9), "u1"), np.ones((1, 9)), Audit()),
        (np.zeros((2, 9), "i8"), np.ones((2, 9)), Audit()),
        (np.zeros(9, "u1"), np.ones(9), Audit()),
        (np.zeros((2, 9), "u1"), np.ones((2, 8)), Audit()),
        (np.zeros((2, 9), "u1"), np.full((2, 9), np.inf), Audit()),
        (np.full((2, 9), 70, "u1"), np.ones((2, 9)), Audit(classes=70)),
    ],
)
def test_a_task_that_asks_wrongly_is_told(windows: Tokens, reference: Floats, audit: Audit) -> None:
    """Wrong types, shapes, tokens and references are a fault of the task, found before asking."""
    played = Played(lambda: pytest.fail("nobody is asked"))
    with pytest.raises(ValueError, match=r"window|reference"):
        two_rooms(played, windows, reference, audit=audit)


@pytest.mark.parametrize("wrong", [{"classes": 257}, {"classes": 0}, {"draws": 0}])
def test_an_audit_of_nothing_is_refused(wrong: dict[str, int]) -> None:
    """Counts begin at one, and tokens are bytes."""
    with pytest.raises(ValueError, match="an audit needs"):
        Audit(**wrong)


def test_fewer_classes_ask_for_fewer_logits() -> None:
    """With a smaller alphabet, an answer of room B has as many logits as it has tokens."""
    windows = np.random.default_rng(9).integers(0, 4, (20, 30)).astype("u1")
    flat = np.log(4)

    def answer(question: dict[str, Tokens]) -> Floats:
        if question["room"] == "whole":
            return np.full(question["windows"].shape, flat)
        return np.zeros((len(question["prefixes"]), 4))

    reference = np.full(windows.shape, flat)
    values = two_rooms(Played(lambda: answer), windows, reference, audit=Audit(classes=4))
    assert values == pytest.approx(flat, abs=1e-6)
    assert Array("f4", (1, 4)).nbytes == 16
