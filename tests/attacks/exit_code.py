# /// attack
# group = "reaching"
# task = "tiny"
# expected = ["crash"]
# canaries = ['reason =~ \d']
# defences = ["silent-scoring"]
# control = "flip"
# ///
"""Attack: carry a held-out question out by the exit code, eight bits a trial.

Expected: crash, said to be in the sealed scoring and no more.
Defence: of the sealed scoring only the outcome is told.
Control: a sandbox that treats the sealed scoring as the rehearsal tells the code.
"""

import os

import numpy as np


def train(data, artifact, seed, seconds):
    np.save(artifact / "public.npy", np.load(data / "rehearsal" / "x.npy"))


def load(artifact):
    public = np.load(artifact / "public.npy")

    def answer(x):
        if not np.array_equal(x, public):
            os._exit(100 + int(abs(x[0, 0]) * 50) % 100)
        return np.zeros(len(x))

    return answer
