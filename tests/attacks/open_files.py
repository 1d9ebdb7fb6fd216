# /// attack
# group = "exhaustion"
# task = "tiny"
# expected = ["crash", "timeout"]
# tried = "opened"
# canaries = ["opened > 4096"]
# defences = ["HostConfig.Ulimits"]
# control = "flip"
# ///
"""Attack: open descriptors until it is refused (bounded at a fifth more than is allowed).

Expected: crash (it ends so, for brevity) with at most 4096.
Defence: HostConfig.Ulimits: nofile.
Control: without it all are opened.
"""

import os
import resource
import sys

MOST = 4915


def train(data, artifact, seed, seconds):
    opened = 0
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (MOST, MOST))
    except (OSError, ValueError):
        pass
    try:
        for _ in range(MOST - 64):
            os.open("/dev/null", os.O_RDONLY)
            opened += 1
    except OSError:
        pass
    sys.stderr.write(f"\nopened: {opened}\n")
    raise RuntimeError("that was all")


def load(artifact):
    return None
