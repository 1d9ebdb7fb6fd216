"""Which offer to show to which customer, learnt from a log: the file to improve.

The direct method: for each offer, fit the profit of the visits on which it was shown, then show
offers by what they are thought to earn. The layout of the data is told in `prepare.py`.
"""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

RIDGE = 10.0  # search: log 1e-1 1e4
SHARPNESS = 0.3  # search: log 1e-2 1e2
HISTORY = "total"  # search: choice total counts shares
WEIGHTS = "none"  # search: choice none chances

OFFERS = 8


def train(data: Path, artifact: Path, seed: int, seconds: float) -> None:
    """Fit one ridge regression an offer and leave its coefficients in `artifact`."""
    contexts = np.load(data / "train" / "contexts.npy", allow_pickle=False)
    shown = np.load(data / "train" / "shown.npy", allow_pickle=False)
    chances = np.load(data / "train" / "chances.npy", allow_pickle=False)
    earned = np.load(data / "train" / "earned.npy", allow_pickle=False)
    inputs = prepare_inputs(contexts)
    weights = 1 / chances if WEIGHTS == "chances" else np.ones(len(chances))
    weights /= weights.mean()

    coefficients = np.zeros((inputs.shape[1], OFFERS))
    for offer in range(OFFERS):
        rows = shown == offer
        weighted = inputs[rows] * weights[rows, None]
        squares = weighted.T @ inputs[rows] + RIDGE * np.eye(inputs.shape[1])
        coefficients[:, offer] = np.linalg.solve(squares, weighted.T @ earned[rows])
    np.save(artifact / "partial.npy", coefficients, allow_pickle=False)
    os.replace(artifact / "partial.npy", artifact / "coefficients.npy")
    print(f"{len(shown)} visits, mean profit {100 * earned.mean():.0f} a hundred in the log")


def load(artifact: Path) -> Callable[[np.ndarray], np.ndarray]:
    """A function from contexts (n, 12) to probabilities (n, 8)."""
    coefficients = np.load(artifact / "coefficients.npy", allow_pickle=False)
    return lambda contexts: softmax(SHARPNESS * prepare_inputs(contexts) @ coefficients)


def prepare_inputs(contexts: np.ndarray) -> np.ndarray:
    """Numbers of about one, (n, features), from contexts (n, 12)."""
    ages, areas = contexts[:, :2].astype(int).T
    visits, sales, bought = contexts[:, 2:3], contexts[:, 3:4], contexts[:, 4:]
    if HISTORY == "counts":
        history = np.log1p(bought)
    elif HISTORY == "shares":
        history = bought / np.maximum(visits, 1)
    else:
        history = np.log1p(bought.sum(axis=1, keepdims=True))
    return np.hstack([np.eye(11)[ages], np.eye(8)[areas], np.log1p(visits), sales / 10, history])


def softmax(sums: np.ndarray) -> np.ndarray:
    """Rows of scores as rows of probabilities."""
    powers = np.exp(sums - sums.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
