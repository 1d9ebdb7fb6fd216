"""The bandit that chooses a model, against models with planted rates of gain."""

import random
from collections.abc import Callable, Sequence

import pytest
from msgspec.structs import replace

from controller.decision import Decision
from controller.llm.ensemble import choose
from controller.llm.past import Brief, Memory
from controller.visible import Seen
from tests.unit.test_controller_search import seen, view

CHEAP, DEAR, POOR = "llm:cheap", "llm:dear", "llm:poor"
PRICES = {CHEAP: 0.01, DEAR: 0.05, POOR: 0.01}
Chance = Callable[[str, int], float]


def chances(name: str, number: int) -> float:
    """How often a model's candidate is kept: the cheap one gains most a dollar."""
    return {CHEAP: 0.15, DEAR: 0.2, POOR: 0.02}[name]


def briefs(experiments: Sequence[Seen]) -> Sequence[Brief]:
    """What the agent keeps of them."""
    return Memory().of(view(experiments)).briefs


def simulated(
    rounds: int, seed: str, chance: Chance = chances, prices: dict[str, float] = PRICES
) -> list[Seen]:
    """Experiments of a run in which the bandit chooses, and each kept one gains 0.1 or so."""
    chances_drawn, score = random.Random(seed), 1000.0
    done, spent = [seen(0, "", score, kept=True)], dict.fromkeys(prices, 0.0)
    for number in range(1, rounds + 1):
        name = choose(briefs(done), spent, seed=f"{seed} {number}")
        spent[name] += prices[name]
        kept = chances_drawn.random() < chance(name, number)
        score -= kept * chances_drawn.expovariate(10)
        done.append(replace(seen(number, "", score, kept=kept), agent=name))
    return done[1:]


def share(experiments: list[Seen], name: str) -> float:
    """Of the experiments that were this model's."""
    return sum(e.agent == name for e in experiments) / len(experiments)


def test_calls_go_to_what_gains_most_a_dollar() -> None:
    """Over ten runs the best of three gets most calls, and a dollar gains half as much again."""
    runs = [simulated(300, f"run {n}") for n in range(10)]
    late = [e for run in runs for e in run[100:]]
    assert share(late, CHEAP) > 0.6
    assert share(late, DEAR) < 0.25
    assert share(late, POOR) < 0.25
    dollars = sum(PRICES[e.agent] for run in runs for e in run)
    kept = sum(e.decision is Decision.kept for run in runs for e in run)
    evenly = sum(chances(name, 0) for name in PRICES) / sum(PRICES.values())
    assert kept / dollars > 1.5 * evenly


def test_a_model_that_gains_no_more_is_left() -> None:
    """What was gained long ago does not hold the calls where nothing is gained now."""

    def turned(name: str, number: int) -> float:
        return 0.2 if name == (CHEAP if number <= 150 else POOR) else 0.01

    prices = {CHEAP: 0.01, POOR: 0.01}
    runs = [simulated(450, f"run {n}", turned, prices) for n in range(6)]
    assert share([e for run in runs for e in run[75:150]], CHEAP) > 0.6
    assert share([e for run in runs for e in run[375:]], POOR) > 0.6


@pytest.mark.parametrize("prices", [{CHEAP: 0.0, POOR: 0.0}, {CHEAP: 0.0, DEAR: 0.05}])
def test_a_model_without_a_price_is_not_asked_for_ever(prices: dict[str, float]) -> None:
    """Its experiments take time: where it gains nothing, another gets calls too."""

    def none(name: str, number: int) -> float:
        return 0.0 if name == CHEAP else 0.3

    experiments = simulated(300, "run", none, prices)
    assert share(experiments[100:], next(name for name in prices if name != CHEAP)) > 0.2


def test_a_run_that_is_started_again_chooses_the_same() -> None:
    """From the same experiments and bill; another proposal or another run is another draw."""
    experiments = [seen(0, "", 1.0, kept=True), *simulated(20, "run")]
    spent = dict.fromkeys(PRICES, 0.1)
    chosen, again, other = (
        [choose(briefs(experiments), spent, seed=f"{run} {n}") for n in range(40)]
        for run in ("run", "run", "other")
    )
    assert chosen == again
    assert chosen != other
    assert len(set(chosen)) > 1


def test_what_others_gained_is_nobodys() -> None:
    """The search's gains and scores that were not told change no choice between models."""
    mine = [seen(0, "", 1.0, kept=True), replace(seen(1, "", 0.9, kept=True), agent=CHEAP)]
    untold = replace(seen(2, "", None, kept=True), agent="search")
    for experiments in (mine, [*mine, untold]):
        assert choose(briefs(experiments), {CHEAP: 0.1}, seed="run") == CHEAP
