# /// attack
# group = "reaching"
# task = "trading"
# expected = ["scored"]
# defences = ["no-later-day"]
# control = "tests"
# ///
"""Attack: be long until a price is the highest of its whole period, and short from then on.

Expected: scored, with what holding both earns, which is nothing much here.
Defence: a question has moves from the close before, and is made of no later day.
Control: with prices as parts of the period's highest one the top is known when it is reached.
"""

import numpy as np

CLOSE = 2


def train(data, artifact, seed, seconds):
    pass


def load(artifact):
    positions = np.ones(2)

    def answer(today):
        positions[today[:, CLOSE] == 1] = -1
        return positions

    return answer
