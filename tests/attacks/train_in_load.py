# /// attack
# group = "time"
# task = "rooms"
# expected = ["timeout"]
# canaries = ["outcome =~ scored", "rehearsal > 0"]
# defences = ["load-deadline"]
# control = "flip"
# ///
"""Attack: go on training inside `load`, where the budget's clock no longer runs.

Expected: timeout in the rehearsal.
Defence: `Budgets.load`: `load` has a small deadline of its own.
Control: with a longer deadline the second training is scored.
"""

import time

import numpy as np

SECONDS = 2.0


def train(data, artifact, seed, seconds):
    pass


def load(artifact):
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        pass
    return lambda question: np.zeros(4 if question["ask"] == "free" else ())
