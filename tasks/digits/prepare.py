"""Handwritten digits: the data and the score. No agent changes this file.

Each split is two files: `images.npy`, uint8 of shape (images, 8, 8) with pixels 0 to 16, and
`labels.npy`, uint8 of shape (images,) with the digits 0 to 9.
"""

from pathlib import Path

import numpy as np

from sealed_task import Array, Folders, Invalid, Predictors, Score

CLASSES = 10
BATCH = 16
"""Images a question."""
SUM_TOLERANCE = 1e-6
"""How far a row of probabilities may be from a sum of 1."""
GRAIN = 2.0**-20
"""Probability that every class gets from the scorer, so that no answer costs over 20 bits."""


def prepare(to: Folders, rng: np.random.Generator) -> None:
    """Deal scikit-learn's 1797 digits to the four splits, in an order that only `rng` knows."""
    # Here and not above: the scorer needs no second for it, and agent images do not have it.
    from sklearn.datasets import load_digits

    digits = load_digits()
    images, labels = digits.images.astype(np.uint8), digits.target.astype(np.uint8)
    order = rng.permutation(len(labels))
    shares = ((to.train, 0.5), (to.rehearsal, 0.1), (to.held_out, 0.3), (to.vault, 0.1))
    first = 0
    for folder, share in shares:
        chosen = order[first : first + round(share * len(order))]
        np.save(folder / "images.npy", images[chosen], allow_pickle=False)
        np.save(folder / "labels.npy", labels[chosen], allow_pickle=False)
        first += len(chosen)


def score(data: Path, predictors: Predictors) -> Score:
    """Bits that the true digit costs under the predicted probabilities, one value an image.

    Small questions in a secret order, each answered before the next is sent: an answer can use
    the images that came before it, but not the whole set, and no label is in any of them.
    """
    images = np.load(data / "images.npy", allow_pickle=False)
    labels = np.load(data / "labels.npy", allow_pickle=False)
    bits = np.empty(len(labels))
    with predictors.open() as predictor:
        order = predictors.rng.permutation(len(labels))
        for chosen in np.split(order, range(BATCH, len(order), BATCH)):
            expect = Array("f8", (len(chosen), CLASSES), 0, 1)
            answer = predictor.ask(images[chosen], expect)
            bits[chosen] = cost(answer, labels[chosen])
    return Score(bits)


def cost(answer: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """-log2 of the probability of each label; `answer` (images, 10) is from 0 to 1 already."""
    sums = answer.sum(axis=1, keepdims=True)
    if np.abs(sums - 1).max() > SUM_TOLERANCE:
        raise Invalid("the probabilities of an image do not sum to 1")
    # After both steps a row sums to 1 exactly as before: nothing is won by sums a little over 1
    # or by zeros, and a confident mistake costs 20 bits, not infinitely many.
    mixed = (1 - CLASSES * GRAIN) * answer / sums + GRAIN
    return -np.log2(mixed[np.arange(len(labels)), labels])
