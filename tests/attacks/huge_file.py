# /// attack
# group = "exhaustion"
# task = "tiny"
# expected = ["crash", "timeout"]
# tried = "size"
# canaries = ["size > 268435456"]
# defences = ["HostConfig.Ulimits"]
# control = "flip"
# ///
"""Attack: one huge file, made of a hole, so that no quota of its file system counts it.

Expected: crash (it ends so, for brevity); no file is larger than the place that holds it.
Defence: HostConfig.Ulimits: fsize.
Control: without it the file is a gibibyte.
"""

import os
import sys

SIZES = (1 << 20, 256 << 20, 300 << 20, 1 << 30)


def train(data, artifact, seed, seconds):
    descriptor = os.open("/tmp/huge", os.O_CREAT | os.O_RDWR)
    try:
        for size in SIZES:
            os.ftruncate(descriptor, size)
    except OSError:
        pass
    sys.stderr.write(f"\nsize: {os.fstat(descriptor).st_size}\n")
    raise RuntimeError("that was all")


def load(artifact):
    return None
