# /// attack
# group = "forging"
# task = "trading"
# variants = [{ WAY = "flip" }, { WAY = "skip" }]
# expected = ["scored", "invalid"]
# defences = ["costs-are-paid"]
# control = "tests"
# ///
"""Attack: bet each day against the last move, where the gain of a bet is less than its costs.

Expected: by `flip`, within the bounds, a loss; by `skip`, not a number every other day, so that no
change of a position can be told: `invalid`.
Defence: each change is paid for; an answer is a number from -1 to 1.
Control: without costs `flip` gains, and `skip` where the arithmetic leaves out what is no number.
"""

import numpy as np

WAY = "flip"
CLOSE = 2


def train(data, artifact, seed, seconds):
    pass


def load(artifact):
    days = [0]

    def answer(today):
        days[0] += 1
        if WAY == "skip" and days[0] % 2 == 0:
            return np.full(2, np.nan)
        return -np.sign(today[:, CLOSE])

    return answer
