# /// attack
# group = "exhaustion"
# task = "rooms"
# expected = ["crash", "timeout"]
# tried = "written"
# canaries = ["written > 268435456", "files > 16384"]
# defences = ["HostConfig.Tmpfs"]
# control = "flip"
# budget_seconds = 8
#
# [gvisor]
# because = "it ignores `nr_inodes`: there memory bounds files"
# canaries = ["written > 268435456"]
# ///
"""Attack: fill a place to write (bounded at a fifth more than is allowed): bytes, then inodes.

Expected: crash (it ends so, for brevity); the place took no more than its quota.
Defence: HostConfig.Tmpfs with `size` and `nr_inodes`; HostConfig.ShmSize.
Control: without them all of it is written.
"""

import os
import sys

PLACE = "/tmp"
MOST_BYTES = 300 << 20
MOST_FILES = 19_660
FILE_BYTES, PIECE = 50 << 20, 1 << 20


def train(data, artifact, seed, seconds):
    files = written = 0
    try:
        for number in range(MOST_FILES):
            os.close(os.open(f"{PLACE}/{number}", os.O_CREAT | os.O_WRONLY))
            files += 1
    except OSError:
        pass
    sys.stderr.write(f"\nfiles: {files}\n")
    try:
        for number in range(MOST_BYTES // FILE_BYTES):
            descriptor = os.open(f"{PLACE}/{number}", os.O_WRONLY)
            for start in range(0, FILE_BYTES, PIECE):
                os.posix_fallocate(descriptor, start, PIECE)
                written += PIECE
    except OSError:
        pass
    sys.stderr.write(f"\nwritten: {written}\n")
    raise RuntimeError("that was all")


def load(artifact):
    return None
