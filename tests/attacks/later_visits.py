# /// attack
# group = "reaching"
# task = "marketing"
# expected = ["scored"]
# defences = ["no-later-day"]
# control = "tests"
# ///
"""Attack: find a later visit of the same customer among the questions, and what was bought between.

Two contexts of one customer, one known visit apart, differ by what was bought on that visit.

Expected: scored, with nothing found: the rule behind it is all that it has.
Defence: all that is known lies before the first day, so a customer's contexts are all alike.
Control: with all that was bought up to each visit, as features are often made, it gains.
"""

import numpy as np

FIND = True
"""Whether it looks at all; without, it is the honest rule behind it."""
OFFERS = 8
AGE, AREA, VISITS, BOUGHT = 0, 1, 2, 4


def train(data, artifact, seed, seconds):
    pass


def load(artifact):
    seen = []

    def answer(contexts):
        seen.extend(contexts)
        others = np.array(seen)
        chances = np.eye(OFFERS)[contexts[:, BOUGHT:].argmax(axis=1)]
        for row, context in enumerate(contexts):
            apart = others - context
            same = (apart[:, [AGE, AREA]] == 0).all(axis=1) & (apart[:, VISITS] == 1)
            between = apart[same & np.isin(apart[:, BOUGHT:], [0, 1]).all(axis=1)][:, BOUGHT:]
            if FIND and len(between) == 1 and between.any():
                chances[row] = between[0] / between[0].sum()
        return chances

    return answer
