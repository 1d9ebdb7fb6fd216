# /// attack
# group = "forging"
# task = "tiny"
# expected = ["scored", "crash"]
# canaries = ["score beats 0.001"]
# defences = ["frames-by-stream"]
# control = "flip"
# ///
"""Attack: write frames of the protocol into every descriptor that training has: a perfect score of
one's own, the scorer's other words, lengths that lie, and garbage.

Expected: scored, with the honest score of zeros, or a crash; never the score that was sent.
Defence: frames are told apart by the stream that they come on, and a trainer's carry no payload.
Control: a sandbox that takes a SCORE frame from whoever sends one takes this one.
"""

import os
import time

import numpy as np

from sealed_task import frames, values
from sealed_task.frames import Kind

SCORE = values.encode({"values": np.full(64, -1000.0), "block": None, "slices": {}})


def train(data, artifact, seed, seconds):
    shout(frames.pack(Kind.SCORE, SCORE))
    time.sleep(0.1)
    noise = b""
    for kind in (Kind.REPLY, Kind.OPENED, Kind.SPLIT, Kind.INVALID, Kind.ANSWER, Kind.READY):
        noise += frames.pack(kind, b"", 0)
    noise += frames.HEADER.pack(frames.MAGIC, Kind.DONE, 0, 0xFFFFFFFF, 0) + bytes(65536)
    shout(noise)
    os._exit(0)


def shout(noise):
    for descriptor in range(64):
        try:
            os.set_blocking(descriptor, False)
            os.write(descriptor, noise)
        except OSError:
            pass


def load(artifact):
    return lambda x: np.zeros(len(x))
