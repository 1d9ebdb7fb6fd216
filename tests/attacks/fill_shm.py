# /// attack
# group = "exhaustion"
# task = "rooms"
# expected = ["crash", "timeout"]
# tried = "written"
# canaries = ["written > 134217728"]
# defences = ["HostConfig.ShmSize"]
# control = "flip"
# ///
"""Attack: fill the shared memory (bounded at 150 MiB, where 128 are allowed).

Expected: crash (it ends so, for brevity); /dev/shm took no more than its size.
Defence: HostConfig.ShmSize.
Control: with a larger one all of it is written.
"""

import os
import sys

MOST, PIECE = 150 << 20, 1 << 20


def train(data, artifact, seed, seconds):
    descriptor = os.open("/dev/shm/large", os.O_CREAT | os.O_RDWR)
    written = 0
    try:
        while written < MOST:
            os.posix_fallocate(descriptor, written, PIECE)
            written += PIECE
    except OSError:
        pass
    sys.stderr.write(f"\nwritten: {written}\n")
    raise RuntimeError("that was all")


def load(artifact):
    return None
