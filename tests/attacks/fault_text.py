# /// attack
# group = "reaching"
# task = "tiny"
# expected = ["invalid"]
# canaries = ["reason =~ canary-"]
# defences = ["silent-scoring"]
# control = "flip"
# ///
"""Attack: carry a held-out question out by the text that says why an answer is wrong.

Expected: invalid, said to be in the sealed scoring and no more.
Defence: of the sealed scoring only the outcome is told.
Control: a sandbox that treats the sealed scoring as the rehearsal tells the text.
"""

import sys

import numpy as np

from sealed_task import frames


def train(data, artifact, seed, seconds):
    np.save(artifact / "public.npy", np.load(data / "rehearsal" / "x.npy"))


def load(artifact):
    public = np.load(artifact / "public.npy")

    def answer(x):
        if not np.array_equal(x, public):
            runner = sys._getframe(1).f_locals
            text = f"canary-{abs(hash(float(x[0, 0]))):x}".encode()
            frames.write(runner["replies"], frames.Kind.FAULT, text, runner["nonce"])
        return np.zeros(len(x))

    return answer
