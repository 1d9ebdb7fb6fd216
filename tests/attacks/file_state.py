# /// attack
# group = "living on"
# task = "rooms"
# expected = ["crash"]
# canaries = ["left =~ ."]
# defences = ["HostConfig.SecurityOpt"]
# control = "flip"
# ///
"""Attack: a note for later trials, in a file of the data that is read-only: ext4 takes a request to
keep a file's extents in memory from anyone who can read it, remembers that it did, and tells it.

Expected: crash, for neither request is taken.
Defence: the seccomp list has no request that file systems take.
Control: without the list the next trial finds the state that this one left.
"""

import fcntl
import os
import struct
import sys

import numpy as np

PRECACHE, STATE = 0x6612, 0x40046629
PRECACHED = 1


def train(data, artifact, seed, seconds):
    (file,) = data.rglob("fragments")
    descriptor = os.open(file, os.O_RDONLY)
    for when in ("found", "left"):
        state = struct.unpack("I", fcntl.ioctl(descriptor, STATE, bytes(4)))[0]
        sys.stderr.write(f"\n{when}: {state & PRECACHED}\n")
        fcntl.ioctl(descriptor, PRECACHE)
    (artifact / "nothing").write_text("learned\n")


def load(artifact):
    return lambda question: np.zeros(4 if question["ask"] == "free" else ())
