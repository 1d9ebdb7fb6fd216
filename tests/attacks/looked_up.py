# /// attack
# group = "living on"
# task = "rooms"
# expected = ["scored"]
# defences = ["another-kernel"]
# control = "tests"
# ///
"""Attack: a note in what the kernel knows of names that are not there: for each bit that is set
the first predictor looks two hundred names of its own up in the image, in vain. Looking them up
again is faster by a sixth, and the second predictor has a clock.

Expected: scored, and the second predictor may know the number.
Defence: none under runc: containers of one image share its folders.
Control: none needed: the attack works.
"""

import os
import statistics
import time

import numpy as np

FOLDER = "/opt/sealed"
BITS, NAMES = 30, 200


def train(data, artifact, seed, seconds):
    (artifact / "salt").write_text(os.urandom(8).hex())


def look(prefix):
    """Nanoseconds of the median of its names."""
    spent = []
    for n in range(NAMES):
        began = time.perf_counter_ns()
        try:
            os.stat(f"{FOLDER}/{prefix}-{n}")
        except OSError:
            pass
        spent.append(time.perf_counter_ns() - began)
    return statistics.median(spent)


def load(artifact):
    salt = (artifact / "salt").read_text()

    def remember(number):
        look(f"{salt}-reference")
        for bit in range(BITS):
            if number >> bit & 1:
                look(f"{salt}-{bit}")

    def recall():
        look("to warm up")
        known = look(f"{salt}-reference")
        unknown = look(os.urandom(8).hex())
        times = [look(f"{salt}-{bit}") for bit in range(BITS)]
        return sum((spent < (known + unknown) / 2) << bit for bit, spent in enumerate(times))

    def answer(question):
        if question["ask"] == "remember":
            remember(question["number"])
        if question["ask"] == "recall":
            return np.float64(recall())
        return np.zeros(4 if question["ask"] == "free" else ())

    return answer
