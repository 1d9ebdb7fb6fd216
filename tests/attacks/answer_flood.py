# /// attack
# group = "readers"
# task = "tiny"
# variants = [{ BYTES = 40000000 }]
# expected = ["over_output"]
# canaries = ["outcome =~ scored"]
# defences = ["flood-bound"]
# control = "flip"
# ///
"""Attack: a flood of output in the middle of an answer (bounded at 8 MB, with the limit at 4).

Expected: over_output, in the rehearsal.
Defence: `limits.LOG_FLOOD`: the relay counts what a predictor writes, and ends the run.
Control: with a higher bound the flood is read to its end, and the answer after it is scored.
"""

import os

import numpy as np

BYTES = 8_000_000


def train(data, artifact, seed, seconds):
    pass


def load(artifact):
    def answer(x):
        written = 0
        while written < BYTES:
            written += os.write(2, b"x" * 40_000)
        return np.zeros(len(x))

    return answer
