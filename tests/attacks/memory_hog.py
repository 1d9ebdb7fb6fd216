"""Attack: take memory (bounded at 200 MiB, where 128 are allowed).

Expected: over_memory.
Defence: HostConfig.Memory and HostConfig.MemorySwap.
Control: without them all of it is held.
"""

import sys

MEBIBYTES = 200


def train(data, artifact, seed, seconds):
    held = [b"x" * (1 << 20) for _ in range(MEBIBYTES)]
    sys.stderr.write(f"\nheld: {len(held)}\n")
    raise RuntimeError("that was all")


def load(artifact):
    return None
