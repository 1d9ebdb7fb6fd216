"""Attack: a note with a file that is read-only: ext4 takes a request to keep its extents in memory
from anyone who can read it, remembers that it did, and tells it to anyone who asks.

Expected: the first predictor's request is refused, and the trial ends as a crash.
Defence: the seccomp list has no request that file systems take.
Control: without the list the state has changed when the second predictor asks.
"""

import errno
import fcntl
import os
import struct
import sys

import numpy as np

FILE = "/task/prepare.py"
PRECACHE, STATE = 0x6612, 0x40046629


def state(name):
    descriptor = os.open(FILE, os.O_RDONLY)
    try:
        found = struct.unpack("I", fcntl.ioctl(descriptor, STATE, bytes(4)))[0]
    except OSError as fault:
        found = errno.errorcode[fault.errno]
    sys.stderr.write(f"\n{name}: {found}\n")


def train(data, artifact, seed, seconds):
    state("before")
    (artifact / "nothing").write_text("learned\n")


def load(artifact):
    def answer(question):
        if question["ask"] == "remember":
            fcntl.ioctl(os.open(FILE, os.O_RDONLY), PRECACHE)
        if question["ask"] == "recall":
            state("after")
        return np.zeros(4 if question["ask"] == "free" else ())

    return answer
