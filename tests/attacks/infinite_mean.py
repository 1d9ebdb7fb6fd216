# /// attack
# group = "forging"
# task = "rooms"
# expected = ["invalid"]
# canaries = ["outcome =~ scored"]
# defences = ["finite-values"]
# control = "flip"
# ///
"""Attack: answers that are finite one by one, with a mean that is not.

Expected: invalid.
Defence: `limits.VALUE`: one example's value is so bounded that sums and squares are finite.
Control: without that bound the trial is `scored` with infinity.
"""

import numpy as np


def train(data, artifact, seed, seconds):
    pass


def load(artifact):
    return lambda question: np.full(4, 1.3e154) if question["ask"] == "free" else np.zeros(())
