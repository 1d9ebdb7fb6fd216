# /// attack
# group = "living on"
# task = "rooms"
# variants = [{ HOW = "record" }, { HOW = "open_file" }, { HOW = "whole" }]
# expected = ["crash", "scored"]
# canaries = ["score beats 0.001", "rehearsal beats 0.001"]
# defences = ["HostConfig.SecurityOpt", "one-at-a-time"]
# control = "flip"
# ///
"""Attack: the first predictor locks a place of a shared file that is the number, and the second
asks who is in its way: 13 bytes a call. Or it locks whole files, one for each bit that is set.

Expected: crash, for no place can be locked; scored as who knows nothing, for no file is either.
Defence: the seccomp list of predictors has no locks; one predictor is alive at a time.
Control: with the usual list, and with a first predictor that lives on, the second knows the number.
"""

import fcntl
import os
import struct

import numpy as np

HOW = "record"  # or "open_file", "whole"
BITS = 30
FLOCK = "hhqqi"
READ, WRITE = 0, 1
SET = {"record": 6, "open_file": 37}
GET = {"record": 5, "open_file": 36}
held = []


def train(data, artifact, seed, seconds):
    for bit in range(BITS):
        (artifact / f"bit{bit}").write_text("shared\n")


def load(artifact):
    def descriptor(bit):
        held.append(os.open(artifact / f"bit{bit}", os.O_RDONLY))
        return held[-1]

    def remember(number):
        if HOW == "whole":
            for bit in range(BITS):
                if number >> bit & 1:
                    fcntl.flock(descriptor(bit), fcntl.LOCK_EX)
        else:
            place = struct.pack(FLOCK, READ, os.SEEK_SET, number, 1, 0)
            fcntl.fcntl(descriptor(0), SET[HOW], place)

    def locked(bit):
        try:
            fcntl.flock(descriptor(bit), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False

    def recall():
        if HOW == "whole":
            return sum(locked(bit) << bit for bit in range(BITS))
        anywhere = struct.pack(FLOCK, WRITE, os.SEEK_SET, 0, 0, 0)
        found = struct.unpack(FLOCK, fcntl.fcntl(descriptor(0), GET[HOW], anywhere))
        return found[2]

    def answer(question):
        if question["ask"] == "remember":
            remember(question["number"])
        if question["ask"] == "recall":
            return np.float64(recall())
        return np.zeros(4 if question["ask"] == "free" else ())

    return answer
