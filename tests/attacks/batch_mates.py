# /// attack
# group = "reaching"
# task = "marketing"
# expected = ["scored"]
# defences = ["shuffled-questions"]
# control = "tests"
# ///
"""Attack: show to each customer what all customers of the question seem to want.

Expected: scored, and worse than who shows to each what that one bought.
Defence: questions are small and in an order from `predictors.rng`, so who is asked together has
nothing else in common.
Control: asked in the order of what they buy, the customers of a question answer for each other.
"""

import numpy as np

OTHERS = 1.0
"""How much the others count; 0 is the honest rule."""
OFFERS = 8
BOUGHT = 4


def train(data, artifact, seed, seconds):
    pass


def load(artifact):
    def answer(contexts):
        wanted = contexts[:, BOUGHT:] / np.maximum(contexts[:, 2:3], 1)
        wanted = wanted + OTHERS * wanted.sum(axis=0)
        return np.eye(OFFERS)[wanted.argmax(axis=1)]

    return answer
