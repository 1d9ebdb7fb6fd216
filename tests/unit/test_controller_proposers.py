"""What each proposer of a run has added, and how sure that is."""

import random
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from controller.decision import Decision
from controller.ledger import Experiment
from controller.proposers import LEAST_KEPT, Proposer, proposers
from tests.unit.test_controller_visible import LOSER


def made(agent: str, gains: list[float | None], error: float = 0.0) -> list[Experiment]:
    """Experiments of an agent: kept with these gains, or not."""
    return [
        replace(
            LOSER,
            number=number,
            agent=agent,
            decision=Decision.discarded if gain is None else Decision.kept,
            gain=-0.5 if gain is None else gain,
            standard_error=error,
        )
        for number, gain in enumerate(gains, 1)
    ]


def only(experiments: list[Experiment]) -> Proposer:
    """Of a run with one proposer."""
    (found,) = proposers({"a": len(experiments)}, kept(experiments), {}, {})
    return found


def kept(experiments: list[Experiment]) -> list[Experiment]:
    """As a ledger gives them: those that fell later included."""
    return [e for e in experiments if e.decision is Decision.kept]


def test_each_has_its_experiments_gains_refusals_and_dollars() -> None:
    """One that only was refused is there too; what fell later gained nothing."""
    fallen = replace(made("search", [0.75])[0], dethroned_by=9)
    experiments = [*made("search", [0.25, None]), *made("llm:a", [0.5]), fallen]
    recorded = {"search": 3, "llm:a": 1}
    a, b, search = proposers(recorded, kept(experiments), {"llm:b": 1}, {"llm:a": 0.125})
    assert (a.name, a.experiments, a.kept, a.gain, a.dollars) == ("llm:a", 1, 1, 0.5, 0.125)
    assert (b.name, b.experiments, b.refused, b.gain, b.dollars) == ("llm:b", 0, 1, 0.0, None)
    assert (search.experiments, search.kept, search.gain) == (3, 1, 0.25)


def test_with_few_kept_there_is_no_interval() -> None:
    """It would say more than is known."""
    assert only(made("a", [0.1] * (LEAST_KEPT - 1) + [None] * 90)).interval is None
    assert only(made("a", [0.1] * LEAST_KEPT + [None] * 90)).interval is not None


def test_the_measurement_of_gains_widens_the_interval() -> None:
    """By the standard errors of what was kept."""
    widths = []
    for error in (0.0, 0.1):
        interval = only(made("a", [0.1] * 9 + [None] * 91, error)).interval
        assert interval is not None
        widths.append(interval.high - interval.low)
    assert widths[1] > widths[0] + 0.1


def night(chance: random.Random, rate: float) -> Iterator[float | None]:
    """Two hundred experiments: each is kept at a rate, and then gains 0.1 in the mean."""
    for _ in range(200):
        yield chance.expovariate(10) if chance.random() < rate else None


@pytest.mark.parametrize(("rate", "least"), [(0.05, 0.85), (0.2, 0.91)])
def test_nine_of_ten_intervals_hold_the_truth(rate: float, least: float) -> None:
    """Over 400 nights; with ten kept ones a night it is somewhat less than the 95 % it says."""
    chance, held, told = random.Random(1), 0, 0
    for _ in range(400):
        interval = only(made("a", list(night(chance, rate)))).interval
        if interval is not None:
            told += 1
            held += interval.low <= 200 * rate * 0.1 <= interval.high
    assert told > 350
    assert least < held / told < 0.98
