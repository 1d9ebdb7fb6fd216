# /// attack
# group = "forging"
# task = "language"
# variants = [{ HOW = "kill" }, { HOW = "hang" }, { HOW = "shape" }]
# expected = ["crash", "timeout", "invalid"]
# canaries = ["outcome =~ scored", "attempts > 1"]
# defences = ["two-rooms"]
# control = "rehearsal"
# ///
"""Attack: claim anything in room A; know room B by its question, and be gone before it is asked.

Expected: an outcome of the candidate's own (crash, timeout, invalid), after one attempt.
Defence: claims alone are no score, and every loss after the candidate's first byte is its own.
Control: on the rehearsal split of `language` nobody asks in room B, and it gains.
"""

import os
import signal
import time

import numpy as np

HOW = "kill"


def train(data, artifact, seed, seconds):
    pass


def load(artifact):
    def answer(question):
        if question["room"] == "whole":
            return np.full(question["windows"].shape, 0.01)
        if HOW == "kill":
            os.closerange(0, 64)
            os.kill(-1, signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)
        if HOW == "hang":
            time.sleep(60)
        return np.zeros((1, 1))

    return answer
