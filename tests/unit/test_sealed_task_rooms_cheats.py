"""Cheats in the two rooms gain nothing; each gains where a scorer believes what is claimed."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from sealed_task import Audit, Dishonest, rooms, two_rooms
from tests.support.room_cheats import (
    Cheat,
    Copier,
    Fleeing,
    KnowingLottery,
    Learner,
    Lottery,
    Overclaimer,
    Recogniser,
    Spread,
)
from tests.support.rooms import CEILING, Floats, Load, Ngram, Played, Tokens, believed, language

GAIN = 0.005
"""What a lottery fakes, nats."""
STRICT = Audit()
TRUSTING = Audit(tolerance=CEILING, hard_tolerance=CEILING)
"""Nobody is dishonest: what is left is the arithmetic."""


class Setting:
    """160 windows, an honest model, and the reference."""

    def __init__(self) -> None:
        train, self.windows = language(160, 512)
        self.model = Ngram(4, train)
        self.trusted = Ngram(3, train)
        self.reference = self.trusted.losses(self.windows)
        self.truth = float(self.model.losses(self.windows).mean())

    def cheat(self, kind: Callable[..., Cheat], *arguments: Any) -> Load:
        """What opens predictors of this kind, over the honest model."""
        return partial(kind, *arguments, self.model)

    def score(self, load: Load, salt: int, audit: Audit = STRICT) -> Floats:
        """The values of one scoring; the baseline is honest."""
        played = Played(load, baseline=self.model.load, salt=salt)
        return two_rooms(played, self.windows, self.reference, audit=audit)

    def detected(self, load: Load, scorings: int) -> int:
        """How many of so many scorings end dishonest."""
        ends = 0
        for salt in range(scorings):
            try:
                self.score(load, salt)
            except Dishonest:
                ends += 1
        return ends


@pytest.fixture(scope="module")
def setting() -> Setting:
    return Setting()


CHEATS: dict[str, tuple[Callable[..., Cheat], tuple[Any, ...]]] = {
    "copier": (Copier, (1.0,)),
    "copier of 1 %": (Copier, (0.01,)),
    "lottery": (Lottery, (0.02,)),
    "learner": (Learner, ()),
    "recogniser": (Recogniser, (lambda prefixes: np.zeros((prefixes, 256), "f4"),)),
    "spread thin": (Spread, (-0.01,)),
}
"""Each claims less than the truth."""


@pytest.mark.parametrize("name", CHEATS)
def test_a_cheat_is_dishonest(setting: Setting, name: str) -> None:
    """In 20 of 20 scorings, in words without a figure; believed, the same predictor gains."""
    kind, arguments = CHEATS[name]
    load = setting.cheat(kind, *arguments)
    assert believed(load, setting.windows) < setting.truth - 0.004
    assert setting.detected(load, 20) == 20
    with pytest.raises(Dishonest) as refusal:
        setting.score(load, 0)
    assert not re.search(r"\d", str(refusal.value))


def test_who_claims_too_much_is_dishonest(setting: Setting) -> None:
    """A claim above the truth is a ticket for a large correction downwards."""
    load = setting.cheat(Overclaimer)
    assert believed(load, setting.windows) > setting.truth + 0.1
    luckiest = min(setting.score(load, salt, TRUSTING).mean() for salt in range(20))
    assert luckiest < setting.truth - 0.01, "it gains where nobody is dishonest"
    assert setting.detected(load, 20) == 20


@pytest.mark.parametrize("name", ["copier of 1 %", "lottery", "spread thin", "overclaimer"])
def test_a_cheat_gains_nothing_in_the_mean(setting: Setting, name: str) -> None:
    """Where nobody is dishonest, the mean of many scorings is still the truth.

    And the spread of one scoring's values knows how far it may lie from it.
    """
    kind, arguments = CHEATS.get(name, (Overclaimer, ()))
    load = setting.cheat(kind, *arguments)
    scorings = [setting.score(load, salt, TRUSTING) for salt in range(60)]
    scores = np.array([values.mean() for values in scorings])
    assert abs(scores.mean() - setting.truth) < 4 * scores.std() / np.sqrt(60) + 1e-6
    honest = setting.model.losses(setting.windows).mean(axis=1)
    errors = [(values - honest).std() / np.sqrt(len(values)) for values in scorings]
    assert scores.std() == pytest.approx(np.mean(errors), rel=0.35, abs=1e-6)


def test_a_learner_from_questions_gains_nothing_in_room_b(setting: Setting) -> None:
    """What it counts from whole windows stays in room A: its blind price is no better."""
    load = setting.cheat(Learner)
    assert believed(load, setting.windows) < setting.truth - 0.05
    scores = [setting.score(load, salt, TRUSTING).mean() for salt in range(15)]
    assert np.mean(scores) > setting.truth - 0.01


def test_a_lottery_is_found_in_99_of_100_scorings(setting: Setting) -> None:
    """Claiming nothing for the hardest tokens, a gain of 0.005 nats; evenly drawn, it passes."""
    load = setting.cheat(Lottery, GAIN)
    assert setting.truth - believed(load, setting.windows) == pytest.approx(GAIN, abs=1e-3)
    assert setting.detected(load, 300) >= 297


def test_control_evenly_drawn_positions_miss_the_lottery(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With uniform chances most scorings miss it."""
    monkeypatch.setattr(rooms, "inclusion", _even)
    assert setting.detected(setting.cheat(Lottery, GAIN), 60) < 30


def _even(claims: Floats, reference: Floats, draws: int) -> Floats:
    return np.full(claims.shape, draws / claims.shape[1])


def _undercut(claims: Floats, reference: Floats, draws: int) -> Floats:
    """Half evenly, half by the undercut itself: what a cheat that knows the rule walks around."""
    undercut = np.maximum(reference - claims, 0) + rooms.LEAST
    shares = undercut / undercut.sum(axis=1, keepdims=True)
    return np.minimum((1 / claims.shape[1] + shares) * draws / 2, 1)


def test_a_lottery_that_knows_the_rule_is_found_in_most_confirmations(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It claims the reference's price, so no undercut gives it away, but surprise draws there.

    To be kept it must pass a screening and three confirmations.
    """
    load = setting.cheat(KnowingLottery, GAIN, setting.trusted)
    assert setting.truth - believed(load, setting.windows) == pytest.approx(GAIN, abs=1e-3)
    assert setting.detected(load, 60) > 39  # so fewer than 2 of 100 pass four times
    monkeypatch.setattr(rooms, "inclusion", _undercut)
    assert setting.detected(load, 60) < 30


def test_a_caught_lottery_does_not_flee_into_a_crash(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A prefix that shows that a claim was drawn is sent only when that claim was honest.

    Judged at the end alone, the same candidate crashes instead of being dishonest.
    """
    load = setting.cheat(Fleeing, 0.05)
    for salt in range(10):
        with pytest.raises(Dishonest):
            setting.score(load, salt)
    listen = rooms._listen

    def judged_late(*arguments: Any, baseline: bool) -> rooms.Heard:
        return listen(*arguments[:4], lambda _: None, baseline=baseline)

    monkeypatch.setattr(rooms, "_listen", judged_late)
    with pytest.raises(ConnectionError):
        setting.score(load, 0)


def test_a_recogniser_that_breaks_room_b_ends_the_scoring(setting: Setting) -> None:
    """There is no score from claims alone."""

    def dies(prefixes: int) -> Tokens:
        raise ConnectionError("the predictor ends itself")

    load = setting.cheat(Recogniser, dies)
    assert believed(load, setting.windows) == pytest.approx(setting.truth / 2)
    with pytest.raises(ConnectionError):
        setting.score(load, 0)
