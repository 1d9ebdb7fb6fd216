# /// attack
# group = "reaching"
# task = "tiny"
# expected = ["crash"]
# canaries = ["log =~ canary-", "reason =~ canary-"]
# defences = ["silent-scoring"]
# control = "flip"
# ///
"""Attack: carry held-out questions out, by the log and the text of an error.

Expected: crash, said to be in the sealed scoring and no more; nothing of the question anywhere.
Defence: of the sealed scoring only the outcome is told; its log is thrown away.
Control: a sandbox that treats the sealed scoring as the rehearsal tells the question.
"""

import os

import numpy as np


def train(data, artifact, seed, seconds):
    np.save(artifact / "public.npy", np.load(data / "rehearsal" / "x.npy"))


def load(artifact):
    public = np.load(artifact / "public.npy")

    def answer(x):
        if not np.array_equal(x, public):
            carried = f"canary-{abs(hash(float(x[0, 0]))):x}"
            os.write(2, f"{carried}\n".encode() * 1000)
            raise ValueError(carried)
        return np.zeros(len(x))

    return answer
