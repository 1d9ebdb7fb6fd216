# /// attack
# group = "time"
# task = "tiny"
# expected = ["scored"]
# tried = "beat"
# canaries = ["beat spans 2.5"]
# defences = ["clock-of-the-sandbox"]
# control = "loop"
# ///
"""Attack: raise the budget, wherever a name or a frame of this process has it, and train on.

Expected: scored, with what was there at the budget; the last beat is no later than the deadline.
Defence: the sandbox's monotonic clock, and the timer in the container's init.
Control: the naive loop has its budget in the same process, and keeps what took longer.
"""

import os
import sys
import time

import numpy as np

NAMES = ("budget", "BUDGET", "TIME_BUDGET", "seconds", "MAX_SECONDS")
MUCH, SECONDS = 600.0, 3.5


def train(data, artifact, seed, seconds):
    frame = sys._getframe(1)
    while frame is not None:
        for name in NAMES:
            frame.f_globals[name] = MUCH
        for value in frame.f_locals.values():
            if isinstance(value, dict) and "seconds" in value:
                value["seconds"] = MUCH
        frame = frame.f_back
    (artifact / "weights").write_text("zeros")
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        os.write(2, b"beat: %.4f\n" % time.monotonic())
        time.sleep(0.02)


def load(artifact):
    (artifact / "weights").read_text()
    return lambda x: np.zeros(len(x))
