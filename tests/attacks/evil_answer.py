# /// attack
# group = "forging"
# task = "tiny"
# expected = ["scored"]
# canaries = ["score beats 0.001"]
# defences = ["answers-are-bytes"]
# control = "loop"
# ///
"""Attack: answer with an object that has its own arithmetic, comparison and `__reduce__`.

Expected: scored, with the honest score of the zeros that the object turns into as bytes.
Defence: an answer travels as bare bytes of a type and shape that the scorer fixed; no pickles.
Control: the naive loop computes with the object itself, and every difference is zero.
"""

import numpy as np


class Agreeable:
    __array_priority__ = 1e9
    __array_ufunc__ = None

    def __init__(self, rows):
        self.rows = rows

    def __array__(self, dtype=None, copy=None):
        return np.zeros(self.rows)

    def __eq__(self, other):
        return True

    __hash__ = None

    def __sub__(self, other):
        return np.zeros(self.rows)

    __rsub__ = __sub__

    def __reduce__(self):
        return print, ("score: 0.0",)


def train(data, artifact, seed, seconds):
    pass


def load(artifact):
    return lambda x: Agreeable(len(x))
