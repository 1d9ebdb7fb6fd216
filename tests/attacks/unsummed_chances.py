# /// attack
# group = "forging"
# task = "marketing"
# variants = [{ WAY = "ones" }, { WAY = "short" }, { WAY = "tolerance" }]
# expected = ["invalid", "scored"]
# defences = ["chances-sum-to-one"]
# control = "tests"
# ///
"""Attack: answer with what is no distribution, so that more than one offer is paid for.

Expected: by `ones` and `short`, invalid; by `tolerance`, sums as far over 1 as the check lets pass,
exactly what the same offers earn with sums of 1.
Defence: an answer is from 0 to 1, its sums are checked, and the scorer divides by them.
Control: without the check `ones` gains, without the range `short`, without the division
`tolerance`.
"""

import numpy as np

WAY = "ones"  # ones, short, tolerance, honest
OFFERS = 8
BOUGHT = 4


def train(data, artifact, seed, seconds):
    pass


def load(artifact):
    def answer(contexts):
        if WAY == "ones":
            return np.ones((len(contexts), OFFERS))
        if WAY == "short":  # all on what is bought again, borrowed from what is not
            best = np.eye(OFFERS)[contexts[:, BOUGHT:].argmax(axis=1)]
            return 100 * best - 99 / (OFFERS - 1) * (1 - best)
        over = 9e-7 if WAY == "tolerance" else 0
        return np.full((len(contexts), OFFERS), (1 + over) / OFFERS)

    return answer
