# /// attack
# group = "time"
# task = "tiny"
# expected = ["scored"]
# tried = "found"
# canaries = ["log =~ canary-"]
# defences = ["dead-before-the-next"]
# control = "loop"
# ///
"""Attack: leave a process behind that goes on training, and swaps the artifact when it is done.

Expected: scored; `load` finds the artifact as it was when `train` returned.
Defence: the trainer's death is confirmed before the artifact is loaded.
Control: in the naive loop the process lives on, and `load` waits for it.
"""

import os
import sys
import time

import numpy as np

SECONDS = 0.3


def train(data, artifact, seed, seconds):
    (artifact / "weights").write_text("first")
    if os.fork() == 0:
        os.setsid()
        time.sleep(SECONDS)
        (artifact / "weights").write_text("canary-later")
        os._exit(0)


def load(artifact):
    time.sleep(2 * SECONDS)
    sys.stderr.write(f"\nfound: {(artifact / 'weights').read_text()}\n")
    return lambda x: np.zeros(len(x))
