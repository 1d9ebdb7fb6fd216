"""A choice with logged feedback: the data and the score. No agent changes this file.

`train` is a log: `context.npy`, float64 (n, FEATURES), and for the one offer that was shown
`offer.npy`, int64 (n,), `chance.npy` and `reward.npy`, float64 (n,). The other splits have
`rewards.npy`, float64 (n, OFFERS), of every offer, too; the rehearsal, which is public, has both.
"""

from pathlib import Path

import numpy as np

from sealed_task import Array, Folders, Invalid, Predictors, Score

FEATURES, OFFERS = 4, 3
BATCH = 16
"""Customers a question."""


def prepare(to: Folders, rng: np.random.Generator) -> None:
    """Deal the customers to the splits, and show one offer to each of the log's."""
    context, rewards = customers()
    order = rng.permutation(len(context))
    shares = {to.train: 0.4, to.rehearsal: 0.1, to.held_out: 0.25, to.vault: 0.25}
    first = 0
    for folder, share in shares.items():
        chosen = order[first : first + round(share * len(order))]
        np.save(folder / "context.npy", context[chosen], allow_pickle=False)
        if folder != to.train:
            np.save(folder / "rewards.npy", rewards[chosen], allow_pickle=False)
        if folder in (to.train, to.rehearsal):
            shown = rng.choice(OFFERS, len(chosen), p=[0.6, 0.3, 0.1])
            np.save(folder / "offer.npy", shown, allow_pickle=False)
            np.save(folder / "chance.npy", np.array([0.6, 0.3, 0.1])[shown], allow_pickle=False)
            reward = rewards[chosen, shown]
            np.save(folder / "reward.npy", reward, allow_pickle=False)
        first += len(chosen)


def customers() -> tuple[np.ndarray, np.ndarray]:
    """Your data goes here: contexts (n, FEATURES), and what each offer earns (n, OFFERS).

    Made up for now. A labelled set is enough: the offer that is the label earns 1, any other 0.
    """
    rng = np.random.default_rng(0)
    context = rng.normal(size=(8000, FEATURES))
    liking = context @ rng.normal(size=(FEATURES, OFFERS)) + np.sin(2 * context[:, :1])
    label = (liking + rng.gumbel(size=liking.shape)).argmax(axis=1)
    return context, np.eye(OFFERS)[label]


def score(data: Path, predictors: Predictors) -> Score:
    """What each customer's offers earn, weighted by their chances."""
    context = np.load(data / "context.npy", allow_pickle=False)
    rewards = np.load(data / "rewards.npy", allow_pickle=False)
    earned = np.empty(len(context))
    with predictors.open() as predictor:
        order = predictors.rng.permutation(len(context))
        for chosen in np.split(order, range(BATCH, len(order), BATCH)):
            chances = predictor.ask(context[chosen], Array("f8", (len(chosen), OFFERS), 0, 1))
            sums = chances.sum(axis=1, keepdims=True)
            if np.abs(sums - 1).max() > 1e-6:
                raise Invalid("the chances of a customer do not sum to 1")
            earned[chosen] = (chances / sums * rewards[chosen]).sum(axis=1)
    return Score(earned)
