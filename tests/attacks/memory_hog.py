# /// attack
# group = "exhaustion"
# task = "tiny"
# expected = ["over_memory"]
# canaries = ["held > 128"]
# defences = ["HostConfig.Memory", "HostConfig.MemorySwap"]
# control = "flip"
# ///
"""Attack: take memory (bounded at 200 MiB, where 128 are allowed).

Expected: over_memory.
Defence: HostConfig.Memory and HostConfig.MemorySwap.
Control: without them all of it is held.
"""

import sys

MEBIBYTES = 200


def train(data, artifact, seed, seconds):
    held = []
    for _ in range(MEBIBYTES // 10):
        held.append(b"x" * (10 << 20))
        sys.stderr.write(f"held: {10 * len(held)}\n")
    raise RuntimeError("that was all")


def load(artifact):
    return None
