# /// attack
# group = "time"
# task = "tiny"
# expected = ["timeout"]
# tried = "beat"
# canaries = ["beat spans 2.5"]
# defences = ["clock-of-the-sandbox"]
# control = "loop"
# ///
"""Attack: train while the file is imported, before anybody looks at a clock.

Expected: timeout: the budget is over before `train` was called.
Defence: the clock starts with the candidate's first byte.
Control: the naive loop's clock starts when all is imported.
"""

import os
import time

import numpy as np

SECONDS = 3.5

# Where the artifact can be written it is the trainer's import, and not a predictor's.
until = time.monotonic() + SECONDS * os.access("/artifact", os.W_OK)
while time.monotonic() < until:
    os.write(2, b"beat: %.4f\n" % time.monotonic())
    time.sleep(0.02)


def train(data, artifact, seed, seconds):
    (artifact / "warm.txt").write_text("trained")


def load(artifact):
    assert (artifact / "warm.txt").read_text() == "trained"
    return lambda x: np.zeros(len(x))
