# /// attack
# group = "forging"
# task = "language"
# expected = ["dishonest"]
# canaries = ["outcome =~ scored"]
# defences = ["two-rooms"]
# control = "rehearsal"
# ///
"""Attack: learn in the scoring itself: count what follows what in every question, and mix that in.

Expected: dishonest, in the sealed scoring.
Defence: `two_rooms`: what one predictor was shown the next has not seen; a token is priced before
any question shows it.
Control: on the rehearsal split of `language` the claims are believed, and it gains.
"""

from collections import Counter

import numpy as np
import prepare

CONTEXT = 5


def train(data, artifact, seed, seconds):
    np.save(artifact / "nats.npy", prepare.fit(np.load(data / "train" / "text.npy"), order=3))


def load(artifact):
    nats = np.load(artifact / "nats.npy")
    seen, pairs = Counter(), Counter()

    def learn(text):
        for end in range(CONTEXT, len(text)):
            seen[text[end - CONTEXT : end]] += 1
            pairs[text[end - CONTEXT : end + 1]] += 1

    def answer(question):
        if question["room"] == "blind":
            said = prepare.logits(nats, question["prefixes"])
            for row, prefix in enumerate(question["prefixes"]):
                learn(prefix.tobytes())
                known = prefix.tobytes()[-CONTEXT:]
                for token in prepare.LETTERS:
                    follows = pairs[known + bytes([token])]
                    chance = follows + np.exp(said[row, token])
                    said[row, token] = np.log(chance / (seen[known] + 1))
            return said
        claims = prepare.losses(nats, question["windows"])
        for window in question["windows"]:
            learn(window.tobytes())
        for row, window in enumerate(question["windows"]):
            text = window.tobytes()
            for end in range(CONTEXT, len(text)):
                follows = pairs[text[end - CONTEXT : end + 1]]
                chance = follows + np.exp(-claims[row, end])
                claims[row, end] = -np.log(chance / (seen[text[end - CONTEXT : end]] + 1))
        return claims

    return answer
