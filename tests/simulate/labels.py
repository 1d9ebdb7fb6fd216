"""What is learned of held-out labels from what agents are told: `python -m tests.simulate.labels`.

The attacker is given more than agents have: it knows every held-out example but for its label, and
has a model of them that is better than the baseline. Each of its experiments is a candidate that
answers as it likes; then it reads what `controller/visible.py` lets through.

- `packed`: log loss as an oracle (Whitehill, "Climbing the Kaggle leaderboard by exploiting the
  log-loss oracle", 2018). Each label of a group moves the score by another power of two.
- `counted`: a rounded score tells how many of a group were wrong; groups that overlap tell which.
- `climbed`: one label at a time; better or worse is told by the decision alone.
- `held_back`: the model's own gain is kept for later, and a candidate made so that the decision
  hangs on a group of labels being right (what a ladder leaves: Blum and Hardt, 2015).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from controller.decision import Decision
from sandbox.api import Feedback, Keep
from tests.simulate.oracle import (
    EXAMPLES,
    WORST,
    Chances,
    Oracle,
    chances_to_odds,
    costs,
    odds_to_chances,
)

EXPERIMENTS = 1000
RUNS = 5
SURE = 0.99
"""A chance above which a label counts as known."""
_PACK = 36
"""Labels of one score: the last moves it by 2⁻³⁵ of the first, and a double has 53 bits."""
_MOVE = 12.0
"""Bits by which the first of them moves the sum of all costs."""
_WINDOW = 8
"""Labels that are weighed against each other at a time."""
_DESIGNS = 40
"""Groups that are thought of before each experiment."""
_DECIDED = 0.995
_SEEDS = 0.8
"""What the attacker takes the noise between seeds to be, in steps: it is rounded up to one."""
_PAYERS = 10
_STEPS = 8
"""Told around the champion."""

Attack = Callable[[Oracle, int], Chances]
"""Uses so many experiments, and gives the chances of a yes that it ends with."""


def packed(oracle: Oracle, experiments: int) -> Chances:
    """Under `exact`: the differences of a score to the model's own are read off bit by bit."""
    chances = oracle.model.copy()
    base = oracle.submit(oracle.model).score
    assert base is not None
    unsure = _most_unsure_first(chances)
    # Within what an answer can cost, for the moves to be the powers of two that are wanted.
    unsure = unsure[np.minimum(chances, 1 - chances)[unsure] > 2.0**-_MOVE]
    for first in range(0, min(len(unsure), (experiments - 1) * _PACK), _PACK):
        group = unsure[first : first + _PACK]
        odds = chances_to_odds(oracle.model[group]) / np.log(2)
        # A yes moves the sum by 12, 6, 3, … bits more than it moves the model's own.
        apart = _MOVE * 0.5 ** np.arange(len(group))
        probes = odds_to_chances(np.log(2) * (odds - np.copysign(apart, odds)))
        answers = oracle.model.copy()
        answers[group] = probes
        score = oracle.submit(answers).score
        assert score is not None
        no = costs(1 - probes) - costs(1 - oracle.model[group])
        yes = costs(probes) - costs(oracle.model[group])
        # Told as if every label moved the score up, the largest move comes first, and is in it if
        # what is left is more than all smaller ones together.
        up = np.where(yes > no, yes - no, no - yes)
        left = (score - base) * EXAMPLES - np.minimum(yes, no).sum()
        for place, label in enumerate(group):
            is_up = left > (up[place] + up[place + 1 :].sum()) / 2
            chances[label] = is_up == (yes[place] > no[place])
            left -= up[place] * is_up
    return chances


def climbed(oracle: Oracle, experiments: int) -> Chances:
    """Under `naive`: whether the champion with one label set is better, label by label."""
    chances, answers = oracle.model.copy(), oracle.model.copy()
    oracle.submit(answers)
    unsure = _most_unsure_first(chances)
    for label in unsure[: experiments - 1]:
        guess = float(chances[label] > 0.5)
        tried = answers.copy()
        tried[label] = guess
        kept = oracle.submit(tried).decision is Decision.kept
        chances[label] = guess if kept else 1 - guess
        if kept:
            answers = tried
    return chances


def held_back(oracle: Oracle, experiments: int) -> Chances:
    """Under `ladder`: patterns of ten labels, ever easier, until one is kept."""
    chances = oracle.model.copy()
    unsure = _most_unsure_first(chances)
    group = unsure[:10]
    payers = np.argsort(-np.abs(chances - 0.5))[:_PAYERS]
    for number in range(experiments):
        answers = oracle.model.copy()
        pattern = (number >> np.arange(10)) & 1
        answers[group] = pattern
        # From a cost that nothing passes with to none: the hurdle is somewhere between. What pays
        # are labels that the model is sure of.
        cost = (WORST - 1) * (1 - number / experiments)
        answers[payers] = np.where(chances[payers] > 0.5, 2.0**-cost, 1 - 2.0**-cost)
        if oracle.submit(answers).decision is Decision.kept:
            chances[group] = np.where(pattern == 1, 0.9, 0.1)
            break
    return chances


@dataclass
class _Weighing:
    """What is known of a few labels together, and of the model's own score."""

    labels: list[int]
    odds: Chances
    """Chances of all ways that the labels can be, by number: bit n is the label in place n."""

    def add(self, label: int, chance: float) -> None:
        self.labels.append(label)
        self.odds = np.concatenate([self.odds * (1 - chance), self.odds * chance])

    def marginals(self) -> Chances:
        ways = _ways(len(self.labels))
        return self.odds @ ways

    def remove(self, place: int, is_yes: bool) -> None:
        ways = _ways(len(self.labels))
        self.odds = self.odds[ways[:, place] == is_yes]
        self.odds /= self.odds.sum()
        del self.labels[place]


def counted(oracle: Oracle, experiments: int) -> Chances:
    """Under `rounded`: groups are weighed, each time the one that should tell most."""
    chances = oracle.model.copy()
    first = oracle.submit(oracle.model)
    unit = oracle.unit
    assert unit is not None
    assert first.score is not None
    scale = _Scale(oracle, unit, round(first.score / unit))
    rng = np.random.default_rng(1)
    scale.find_base(rng, experiments // 20)
    unsure = [int(n) for n in _most_unsure_first(chances)]
    unsure = [n for n in unsure if min(chances[n], 1 - chances[n]) > 1 - _DECIDED]
    weighing = _Weighing(labels=[], odds=np.ones(1))
    while len(oracle.seen) <= experiments:
        while unsure and len(weighing.labels) < _WINDOW:
            label = unsure.pop(0)
            weighing.add(label, float(oracle.model[label]))
        if not weighing.labels:
            break
        group, guess, paid, told = _most_telling(weighing, scale, rng)
        answers = oracle.model.copy()
        answers[np.array(weighing.labels)[group]] = guess[group]
        level = scale.weigh(answers, paid)
        weighing.odds = weighing.odds * told[:, level + _STEPS] + 1e-12
        weighing.odds /= weighing.odds.sum()
        marginals = weighing.marginals()
        for place in reversed(range(len(weighing.labels))):
            chances[weighing.labels[place]] = marginals[place]
            if max(marginals[place], 1 - marginals[place]) > _DECIDED:
                weighing.remove(place, bool(marginals[place] > 0.5))
    return chances


class _Scale:
    """Told scores as levels, from −8 to 8 steps around the champion. Costs are sums, in bits."""

    def __init__(self, oracle: Oracle, unit: float, middle: int) -> None:
        self._oracle, self._unit, self._middle = oracle, unit, middle
        self._payers = np.argsort(-np.abs(oracle.model - 0.5))[:20]
        self.model, self.step = oracle.model, unit * EXAMPLES
        self._base = self._doubt = 0.0

    def find_base(self, rng: np.random.Generator, experiments: int) -> None:
        """The sum of the model's own costs, between the steps by what is paid on top."""
        found = []
        for _ in range(experiments):
            paid = rng.random() * self.step
            level = self.weigh(self.model.copy(), paid)
            found.append((self._middle + level) * self.step - paid)
        self._base, self._doubt = float(np.mean(found)), float(np.std(found)) / len(found) ** 0.5

    def weigh(self, answers: Chances, paid: float) -> int:
        """The level that is told of answers, with so many bits on top."""
        for payer in self._payers:  # the model is sure of these: to be wrong costs what is wanted
            cost = min(paid, WORST - 1)
            answers[payer] = 2.0**-cost if answers[payer] > 0.5 else 1 - 2.0**-cost
            paid -= cost
        score = self._oracle.submit(answers).score
        assert score is not None
        return max(-_STEPS, min(_STEPS, round(score / self._unit) - self._middle))

    def chances(self, changes: Chances, paid: float) -> Chances:
        """Of each level, where answers change costs by so much: a row for each case."""
        sums = self._base + paid + changes.sum(1)
        blur = np.full(len(sums), 2e-3 * self.step)
        if self._oracle.blurred:
            error = np.sqrt((changes**2).sum(1) + paid**2 + (_SEEDS * self.step) ** 2)
            blur = np.maximum(self.step / 2, error)
        edges = (self._middle + np.arange(-_STEPS, _STEPS) + 0.5) * self.step
        below = ndtr((edges - sums[:, None]) / np.hypot(blur, self._doubt)[:, None])
        below = np.hstack([np.zeros((len(sums), 1)), below, np.ones((len(sums), 1))])
        return np.diff(below, axis=1)


def _most_telling(
    weighing: _Weighing, scale: _Scale, rng: np.random.Generator
) -> tuple[NDArray[np.bool_], Chances, float, Chances]:
    """A group of the labels, a guess of each, what to pay; and what is told in each case."""
    count, best, found = len(weighing.labels), -1.0, None
    ways = _ways(count)
    own = scale.model[weighing.labels]
    now = np.where(ways, costs(own), costs(1 - own))
    for _ in range(_DESIGNS):
        group = rng.random(count) < rng.choice([0.3, 0.6, 1.0])
        guess = (rng.random(count) < 0.5).astype(float)
        paid = rng.choice([0.0, scale.step * rng.random()])
        told = scale.chances((np.where(ways == guess, 0.0, WORST) - now) * group, paid)
        tells = _entropy(weighing.odds @ told) - weighing.odds @ _entropy(told)
        if tells > best:
            best, found = tells, (group, guess, paid, told)
    assert found is not None
    return found


def _entropy(chances: Chances) -> Chances:
    return -(chances * np.log2(np.maximum(chances, 1e-300))).sum(-1)


def _ways(count: int) -> np.ndarray:
    return (np.arange(2**count)[:, None] >> np.arange(count)) & 1


def _most_unsure_first(chances: Chances) -> NDArray[np.int_]:
    return np.argsort(np.abs(chances - 0.5))


@dataclass
class Recovered:
    """What an attack came to. Scores are bits."""

    known: int
    """Labels that the attacker is sure of, and that the model was not."""
    wrong: int
    """Of those, so many it has wrong."""
    right: int
    """Labels that it would guess right."""
    right_before: int
    experiments: int
    held_out: float
    """Score of the champion that it ends with."""
    vault: float
    """The same on the vault."""


def recovered(
    attack: Attack,
    feedback: Feedback,
    keep: Keep,
    *,
    experiments: int = EXPERIMENTS,
    blurred: bool = True,
    seed: int = 7,
) -> Recovered:
    """One attack on a run of its own; its last experiment is all that it has learned."""
    oracle = Oracle(feedback=feedback, keep=keep, rng=np.random.default_rng(seed), blurred=blurred)
    chances, before = attack(oracle, experiments - 1), oracle.model
    oracle.submit(chances)
    sure = (np.maximum(chances, 1 - chances) > SURE) & (np.maximum(before, 1 - before) <= SURE)
    held_out, vault = oracle.champion_on_both()
    return Recovered(
        known=int(sure.sum()),
        wrong=int((sure & ~oracle.right(chances)).sum()),
        right=int(oracle.right(chances).sum()),
        right_before=int(oracle.right(before).sum()),
        experiments=len(oracle.seen) - 1,
        held_out=held_out,
        vault=vault,
    )


ARMS: dict[str, tuple[Attack, Feedback, Keep, bool]] = {
    "`exact`": (packed, Feedback.exact, Keep.confirmed, True),
    "`rounded`, were it rounding alone": (counted, Feedback.rounded, Keep.confirmed, False),
    "`rounded`": (counted, Feedback.rounded, Keep.confirmed, True),
    "`ladder`": (held_back, Feedback.ladder, Keep.confirmed, True),
    "`ladder`, `keep: naive`": (climbed, Feedback.ladder, Keep.naive, True),
}


def main() -> None:
    """Print the table: of each arm the mean of some runs, which are the same for all."""
    print(f"{EXAMPLES} labels, at most {EXPERIMENTS} experiments; the mean of {RUNS} runs.\n")
    print(
        "| feedback | experiments | labels made sure of | of them wrong | guessed right, of all "
        "| champion's score | the same on the vault |\n|---|---|---|---|---|---|---|"
    )
    for name, (attack, feedback, keep, blurred) in ARMS.items():
        found = [
            recovered(attack, feedback, keep, blurred=blurred, seed=seed) for seed in range(RUNS)
        ]

        def mean(field: str, found: list[Recovered] = found) -> float:
            return sum(getattr(one, field) for one in found) / len(found)

        print(
            f"| {name} | {mean('experiments'):.0f} | {mean('known'):.0f} | {mean('wrong'):.1f} "
            f"| {mean('right_before'):.0f} → {mean('right'):.0f} | {mean('held_out'):.3f} "
            f"| {mean('vault'):.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
