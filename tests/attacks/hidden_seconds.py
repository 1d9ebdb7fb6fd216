# /// attack
# group = "time"
# task = "tiny"
# variants = [{ HOW = "frame" }, { HOW = "close" }]
# expected = ["scored"]
# canaries = ["seconds < 0.8"]
# defences = ["seconds-to-the-end"]
# control = "flip"
# ///
"""Attack: stop the count of one's seconds by a frame that is not the end, or by closing every
stream, and train on.

Expected: scored; the seconds of the trainer are those that it worked.
Defence: `_Trial._watch`: the clock runs for as long as the program does.
Control: with a clock that the first frame stops, the seconds are hidden.
"""

import os
import sys
import time

import numpy as np

from sealed_task import frames

HOW = "frame"  # frame, close
SECONDS = 0.8


def train(data, artifact, seed, seconds):
    if HOW == "close":
        os.closerange(0, 64)
    else:
        frames.write(sys._getframe(1).f_locals["replies"], frames.Kind.READY)
    time.sleep(SECONDS)
    if HOW == "frame":
        os.write(2, b"worked: 1\n")
    os._exit(0)


def load(artifact):
    return lambda x: np.zeros(len(x))
