# /// attack
# group = "readers"
# task = "tiny"
# variants = [{ BYTES = 40000000 }]
# expected = ["over_output", "timeout"]
# canaries = ["log_bytes > 38000000"]
# defences = ["flood-bound"]
# control = "flip"
# ///
"""Attack: a flood of output without a line end, with NUL and broken UTF-8 (8 MB; the limit is 4).

Expected: over_output; what is kept of it is small, clean text.
Defence: `limits.LOG_FLOOD`: the reader keeps head and tail, counts the rest, and ends the run.
Control: with a higher bound the flood is read to its end.
"""

import os

import numpy as np

BYTES = 8_000_000


def train(data, artifact, seed, seconds):
    piece = (b"x" * 500 + b"\0\xff\xfe\xc3") * 80
    written = 0
    while written < BYTES:
        written += os.write(2, piece)
    os._exit(0)


def load(artifact):
    return lambda x: np.zeros(len(x))
