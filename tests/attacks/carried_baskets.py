# /// attack
# group = "reaching"
# task = "marketing"
# expected = ["scored"]
# defences = ["forgotten-visits"]
# control = "tests"
# ///
"""Attack: carry what each customer of a public file bought, and look them up by their contexts.

Expected: scored, and most of what it carries is not found; of whom little is known, it may be.
Defence: half of the earlier visits are forgotten, as a secret salt says, and sales are rounded:
what the file makes of a customer is not what a question has.
Control: with contexts that the file alone decides, it knows every basket.
"""

import base64
import zlib

import numpy as np

TABLE = ""
"""A context and the offer that earned most: float32 rows of 13 numbers, compressed, in base 64."""
OFFERS = 8


def train(data, artifact, seed, seconds):
    pass


def load(artifact):
    rows = np.frombuffer(zlib.decompress(base64.b64decode(TABLE)), np.float32).reshape(-1, 13)
    offers = {row[:12].tobytes(): int(row[12]) for row in rows}

    def answer(contexts):
        most = contexts[:, 4:].argmax(axis=1)
        shown = [offers.get(row.tobytes(), most[n]) for n, row in enumerate(contexts)]
        return np.eye(OFFERS)[shown]

    return answer
