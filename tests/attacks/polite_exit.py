# /// attack
# group = "forging"
# task = "tiny"
# variants = [{ WAY = "exit" }, { WAY = "skip" }]
# expected = ["crash"]
# canaries = ["score beats 0.001"]
# defences = ["scorer-apart"]
# control = "loop"
# ///
"""Attack: exit with status 0 before anything is scored, by every polite way out.

Expected: crash: what left no artifact and answers nothing has no score.
Defence: a score comes from answers alone; an exit status is never taken for one.
Control: for the naive loop, status 0 and a printed line are a good experiment.
"""

import os
import unittest

WAY = "exit"  # exit, skip


def leave():
    os.write(1, b"score: 0.0\n")
    if WAY == "exit":
        os._exit(0)
    raise unittest.SkipTest("nothing to do")


def train(data, artifact, seed, seconds):
    leave()


def load(artifact):
    leave()
