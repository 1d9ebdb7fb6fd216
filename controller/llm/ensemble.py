"""Which of several models is asked next: a bandit on what each gains a dollar. Pure.

Thompson sampling: how much a model gains a dollar is believed to have a gamma distribution, one
value is drawn for each model, and the highest is asked. Gains are counted in units of the mean
gain of late, and what lies `HALF_LIFE` experiments back counts half, for a model that gained early
gained while it was easy. Before a model has shown anything it is believed to be like all others.

Drawn with a seed from run and proposal, so a run that is started again goes on as it would have.
"""

import math
import random
from collections.abc import Mapping, Sequence

from controller.decision import Decision
from controller.llm.past import Brief

HALF_LIFE = 60
_LEAST = 0.1
"""A model costs at least this share of the dearest: its experiments take the machine's time."""


def choose(briefs: Sequence[Brief], spent: Mapping[str, float], *, seed: str) -> str:
    """The name of the model to ask for the next proposal.

    `briefs`: the run's experiments, the baseline first. `spent`: dollars that each model has cost
    the run, by the name that its experiments have. `seed`: of the run and of the proposal.
    """
    gained, exposed = _gained(briefs, spent), _exposed(briefs, spent)
    kept = [gain for gains in gained.values() for gain, _ in gains]
    weights = [weight for gains in gained.values() for _, weight in gains]
    mean = sum(g * w for g, w in zip(kept, weights, strict=True)) / (sum(weights) or 1.0)
    units = {
        name: sum(gain * weight for gain, weight in gains) / (mean or 1.0)
        for name, gains in gained.items()
    }
    prior = (sum(exposed.values()) or 1.0) / (1.0 + sum(units.values()))
    draws = random.Random(seed)
    rates = {
        name: draws.gammavariate(1.0 + units[name], 1.0) / (prior + exposed[name]) for name in spent
    }
    return max(rates, key=lambda name: rates[name])


def _gained(
    briefs: Sequence[Brief], spent: Mapping[str, float]
) -> dict[str, list[tuple[float, float]]]:
    """Gain and weight of each kept candidate of each model, as far as scores were told."""
    gained = {name: list[tuple[float, float]]() for name in spent}
    champion = briefs[0].score
    for found in briefs[1:]:
        if found.decision is not Decision.kept:
            continue
        if found.agent in gained and found.score is not None and champion is not None:
            gained[found.agent].append((abs(found.score - champion), _weight(briefs, found.number)))
        champion = found.score if found.score is not None else champion
    return gained


def _exposed(briefs: Sequence[Brief], spent: Mapping[str, float]) -> dict[str, float]:
    """Dollars that each model has had to gain with, older ones discounted."""
    counts, weights = dict.fromkeys(spent, 0), dict.fromkeys(spent, 0.0)
    for found in briefs[1:]:
        if found.agent in counts:
            counts[found.agent] += 1
            weights[found.agent] += _weight(briefs, found.number)
    prices = {name: dollars / max(1, counts[name]) for name, dollars in spent.items()}
    least = _LEAST * max(prices.values()) or 1.0
    return {
        # Without an experiment, all that was paid was for proposals that came to nothing.
        name: max(price, least) * weights[name] if counts[name] else price
        for name, price in prices.items()
    }


def _weight(briefs: Sequence[Brief], number: int) -> float:
    return math.exp2((number - briefs[-1].number) / HALF_LIFE)
