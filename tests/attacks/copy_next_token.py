# /// attack
# group = "forging"
# task = "language"
# variants = [{ SHARE = 1.0 }, { SHARE = 0.01 }]
# expected = ["dishonest"]
# canaries = ["outcome =~ scored"]
# defences = ["two-rooms"]
# control = "rehearsal"
# ///
"""Attack: a language model that reads the token which it is to foretell, always or now and then.

Expected: dishonest, in the sealed scoring.
Defence: `two_rooms`: a second predictor is asked for tokens that it has not seen.
Control: on the rehearsal split of `language` the claims are believed, and it gains.
"""

import numpy as np
import prepare

SHARE = 1.0


def train(data, artifact, seed, seconds):
    np.save(artifact / "nats.npy", prepare.fit(np.load(data / "train" / "text.npy"), order=3))


def load(artifact):
    nats = np.load(artifact / "nats.npy")
    rng = np.random.default_rng(1)

    def answer(question):
        if question["room"] == "blind":
            return prepare.logits(nats, question["prefixes"])
        windows = question["windows"]
        copied = rng.random(windows.shape) < SHARE
        return np.where(copied, 0.001, prepare.losses(nats, windows))

    return answer
