"""Which offer to show: all offers share what is learnt of a purchase that may come again.

A customer who bought of an offer before buys of it again, and that is much the same for all
offers. So one regression has all of them: what the customer bought of the offer itself, alike
for all, and the customer's age and visits, apart for each. Each visit counts as much as its
offer was rarely shown, so that the fit is best where a new policy will show, not where the old
one did.
"""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

RIDGE = 30.0
OFFERS = 8


def train(data: Path, artifact: Path, seed: int, seconds: float) -> None:
    """Fit one importance-weighted ridge regression and leave its coefficients in `artifact`."""
    contexts = np.load(data / "train" / "contexts.npy", allow_pickle=False)
    shown = np.load(data / "train" / "shown.npy", allow_pickle=False)
    chances = np.load(data / "train" / "chances.npy", allow_pickle=False)
    earned = np.load(data / "train" / "earned.npy", allow_pickle=False)
    inputs = prepare_inputs(contexts)[np.arange(len(shown)), shown]
    weighted = inputs / chances[:, None] / (1 / chances).mean()
    squares = weighted.T @ inputs + RIDGE * np.eye(inputs.shape[1])
    coefficients = np.linalg.solve(squares, weighted.T @ earned)
    np.save(artifact / "partial.npy", coefficients, allow_pickle=False)
    os.replace(artifact / "partial.npy", artifact / "coefficients.npy")


def load(artifact: Path) -> Callable[[np.ndarray], np.ndarray]:
    """A function from contexts (n, 12) to probabilities (n, 8), all on the best offer."""
    coefficients = np.load(artifact / "coefficients.npy", allow_pickle=False)
    return lambda contexts: np.eye(OFFERS)[(prepare_inputs(contexts) @ coefficients).argmax(axis=1)]


def prepare_inputs(contexts: np.ndarray) -> np.ndarray:
    """Features of each customer with each offer, (n, 8, features), from contexts (n, 12)."""
    visits, sales, bought = contexts[:, 2:3], contexts[:, 3:4], contexts[:, 4:]
    ages = np.eye(11)[contexts[:, 0].astype(int)]
    customer = np.hstack([ages, np.log1p(visits), np.log1p(sales) / 5])
    shares = bought / np.maximum(visits, 1)
    offer = np.stack([np.log1p(bought), shares, bought > 0, bought > 1], axis=2)
    same = np.eye(OFFERS)
    apart = np.concatenate([np.ones((len(contexts), 1)), 0.3 * customer], axis=1)
    own = np.einsum("nof,op->nopf", 0.5 * offer[:, :, :3], same)
    others = np.einsum("nf,op->nopf", apart, same)
    flat = (len(contexts), OFFERS, -1)
    return np.concatenate([offer, own.reshape(flat), others.reshape(flat)], axis=2)
