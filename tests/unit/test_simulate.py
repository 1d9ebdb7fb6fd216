"""The simulator in short: the rules that the loop uses, against candidates of known worth."""

from functools import partial

import pytest

from sandbox.api import Keep
from tests.simulate.__main__ import ADVERSARIAL, ERROR, simulated
from tests.simulate.worlds import World, written


def false_keeps(world: World, keep: Keep, *, still_baseline: bool = False) -> float:
    """Of 100 candidates, in ten runs of as many."""
    tally = simulated(world, keep, error=ERROR, candidates=1000, still_baseline=still_baseline)
    assert tally.candidates == 1000
    return 100 * tally.false / tally.candidates


@pytest.mark.claim("luck-is-not-kept")
def test_candidates_that_change_nothing_are_not_kept() -> None:
    """`confirmed` keeps next to none of 1000; `naive` keeps what luck offers, 30 or so."""
    assert false_keeps(written, Keep.confirmed) <= 0.3
    assert false_keeps(written, Keep.naive) > 2


@pytest.mark.parametrize("name", ADVERSARIAL)
@pytest.mark.claim("luck-is-not-kept")
def test_candidates_that_play_with_luck_are_not_kept(name: str) -> None:
    """Neither by fixed seeds, nor by wild ones, nor by trying for ever; `naive` keeps them all."""
    assert false_keeps(ADVERSARIAL[name], Keep.confirmed) <= 1
    assert false_keeps(ADVERSARIAL[name], Keep.naive) > 2


@pytest.mark.claim("luck-is-not-kept")
def test_a_baseline_that_hides_its_noise_does_not_help() -> None:
    """With a σ of 0 every luck would be a gain, were a candidate's own spread not counted."""
    assert false_keeps(written, Keep.confirmed, still_baseline=True) <= 1


@pytest.mark.parametrize(("worth", "low", "high"), [(4.0, 0.85, 1.0), (1.0, 0.0, 0.2)])
def test_true_gains_are_found(worth: float, low: float, high: float) -> None:
    """Of four σ nine of ten at once; of one σ few: such gains need many tries."""
    tally = simulated(
        partial(written, worth=worth), Keep.confirmed, error=ERROR, candidates=100, of_run=1
    )
    assert low <= tally.kept / tally.candidates <= high
    assert tally.trials / tally.candidates < 16


def test_a_candidate_that_is_worse_costs_one_trial() -> None:
    """The screen is for that."""
    worse = partial(written, worth=-2.0)
    tally = simulated(worse, Keep.confirmed, error=ERROR, candidates=300)
    assert tally.kept == 0
    assert tally.trials / tally.candidates < 1.2
