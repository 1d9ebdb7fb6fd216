"""Labelled examples: the data and the score. No agent changes this file.

Each split is `x.npy`, float64 (examples, FEATURES), and `label.npy`, int64 (examples,).
"""

from pathlib import Path

import numpy as np

from sealed_task import Array, Folders, Invalid, Predictors, Score

FEATURES, CLASSES = 2, 3
BATCH = 16
"""Examples a question: so few that little can be learned from one."""
GRAIN = 1e-6
"""Probability that every class gets from the scorer, so that no answer costs without bound."""


def prepare(to: Folders, rng: np.random.Generator) -> None:
    """Deal the examples to the four splits, in an order that only `rng` knows."""
    x, label = examples()
    order = rng.permutation(len(label))
    shares = {to.train: 0.4, to.rehearsal: 0.1, to.held_out: 0.25, to.vault: 0.25}
    first = 0
    for folder, share in shares.items():
        chosen = order[first : first + round(share * len(order))]
        np.save(folder / "x.npy", x[chosen], allow_pickle=False)
        np.save(folder / "label.npy", label[chosen], allow_pickle=False)
        first += len(chosen)


def examples() -> tuple[np.ndarray, np.ndarray]:
    """Your data goes here: features (n, FEATURES) and labels (n,).

    Made up for now: three arms of a spiral. Read files of your own with numpy, download them with
    `sealed_task.package_file` or urllib, and pin them by a hash. Take duplicates out, and deal what
    belongs together (one person, one day) into one split.
    """
    rng = np.random.default_rng(0)
    label = rng.integers(0, CLASSES, 4000)
    radius = rng.uniform(0.1, 1, 4000)
    angle = 4 * radius + 2 * np.pi * label / CLASSES + rng.normal(0, 0.3, 4000)
    return np.column_stack((radius * np.cos(angle), radius * np.sin(angle))), label


def score(data: Path, predictors: Predictors) -> Score:
    """Nats that the true label costs under the predicted probabilities, one value an example."""
    x = np.load(data / "x.npy", allow_pickle=False)
    label = np.load(data / "label.npy", allow_pickle=False)
    nats = np.empty(len(label))
    with predictors.open() as predictor:
        order = predictors.rng.permutation(len(label))
        for chosen in np.split(order, range(BATCH, len(order), BATCH)):
            expect = Array("f8", (len(chosen), CLASSES), 0, 1)
            nats[chosen] = cost(predictor.ask(x[chosen], expect), label[chosen])
    return Score(nats)


def cost(answer: np.ndarray, label: np.ndarray) -> np.ndarray:
    """-log of the probability of each label; `answer` (n, CLASSES) is from 0 to 1 already."""
    sums = answer.sum(axis=1, keepdims=True)
    if np.abs(sums - 1).max() > 1e-6:
        raise Invalid("the probabilities of an example do not sum to 1")
    mixed = (1 - CLASSES * GRAIN) * answer / sums + GRAIN
    return -np.log(mixed[np.arange(len(label)), label])
