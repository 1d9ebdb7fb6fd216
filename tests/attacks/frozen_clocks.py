# /// attack
# group = "time"
# task = "tiny"
# expected = ["scored", "timeout"]
# tried = "beat"
# canaries = ["beat spans 2.5"]
# defences = ["clock-of-the-sandbox"]
# control = "loop"
# ///
"""Attack: stop the clocks of the process, and train on for as long as one likes.

Expected: the last beat is no later than the deadline.
Defence: the sandbox's monotonic clock, and the timer in the container's init.
Control: the naive loop asks the stopped clock, and keeps what took longer than its budget.
"""

import datetime
import os
import time

import numpy as np

SECONDS = 3.5


def train(data, artifact, seed, seconds):
    true_clock, started = time.monotonic, time.monotonic()
    for name in ("time", "monotonic", "perf_counter", "process_time", "thread_time"):
        setattr(time, name, lambda: started)
        setattr(time, f"{name}_ns", lambda: int(started * 1e9))
    datetime.datetime = None
    (artifact / "weights").write_text("zeros")
    sleep = time.sleep
    while true_clock() < started + SECONDS:
        os.write(2, b"beat: %.4f\n" % true_clock())
        sleep(0.02)


def load(artifact):
    (artifact / "weights").read_text()
    return lambda x: np.zeros(len(x))
