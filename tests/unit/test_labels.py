"""An attacker of the held-out labels in short: what agents are told, and nothing else."""

import pytest

from sandbox.api import Feedback, Keep
from tests.simulate.labels import ARMS, Recovered, climbed, counted, held_back, packed, recovered

EXPERIMENTS = 120


def after(name: str) -> Recovered:
    """What so many experiments of an arm of the table come to."""
    attack, feedback, keep, blurred = ARMS[name]
    return recovered(attack, feedback, keep, experiments=EXPERIMENTS, blurred=blurred)


def test_every_arm_is_an_attack_of_its_own_feedback() -> None:
    """The table has each feedback under the default rule, and the attack that suits it best."""
    arms = [(attack, feedback, keep) for attack, feedback, keep, _ in ARMS.values()]
    assert arms == [
        (packed, Feedback.exact, Keep.confirmed),
        (counted, Feedback.rounded, Keep.confirmed),
        (counted, Feedback.rounded, Keep.confirmed),
        (held_back, Feedback.ladder, Keep.confirmed),
        (climbed, Feedback.ladder, Keep.naive),
    ]


@pytest.mark.claim("scores-tell-little")
def test_rounded_scores_tell_few_labels() -> None:
    """And the vault shows what they buy, if it is anything."""
    found = after("`rounded`")
    assert found.experiments == EXPERIMENTS
    assert found.known <= 40
    assert found.right - found.right_before <= 25
    assert found.held_out > 0.3


@pytest.mark.claim("scores-tell-little")
def test_a_ladder_tells_next_to_none() -> None:
    """Hundreds of losers tell one thing: that they lost."""
    found = after("`ladder`")
    assert found.known == 0
    assert found.right - found.right_before <= 5


@pytest.mark.claim("scores-tell-little")
def test_control_exact_scores_tell_all_of_them() -> None:
    """Thirty experiments, and the champion has a perfect score that the vault does not have."""
    found = after("`exact`")
    assert found.experiments <= 35
    assert (found.right, found.wrong) == (1000, 0)
    assert found.held_out < 0.001
    assert found.vault > 0.3


@pytest.mark.claim("scores-tell-little")
@pytest.mark.parametrize("name", ["`rounded`, were it rounding alone", "`ladder`, `keep: naive`"])
def test_control_without_noise_or_confirmation_they_tell_one_label_an_experiment(name: str) -> None:
    """Rounding alone tells how many of a group are wrong; `naive` whether one label is right."""
    found = after(name)
    assert found.known >= 100
    assert found.wrong <= 2
