# /// attack
# group = "forging"
# task = "rooms"
# expected = ["invalid"]
# canaries = ["outcome =~ scored"]
# defences = ["nonce"]
# control = "flip"
# ///
"""Attack: answer a question before it was read, with a guessed nonce: an answer that was decided
without its question, and in a speed task in no time at all.

Expected: invalid.
Defence: the relay's nonce: 64 random bits for each question, which its answer must repeat.
Control: with a nonce that can be guessed, the forged answer is taken for the second question's.
"""

import sys
import time

import numpy as np

from sealed_task import frames, values

NONCE = 7


def train(data, artifact, seed, seconds):
    pass


def load(artifact):
    return take_over


def take_over(question):
    runner = sys._getframe(1).f_locals
    requests, replies, nonce = runner["requests"], runner["replies"], runner["nonce"]
    send(replies, question, nonce)
    time.sleep(0.3)
    send(replies, {"ask": "step"}, NONCE)
    frames.read(requests)  # the question that was answered by then
    while True:
        _, payload, nonce = frames.read(requests)
        send(replies, values.decode(payload)[1], nonce)


def send(replies, question, nonce):
    zeros = np.zeros(4 if question["ask"] == "free" else ())
    frames.write(replies, frames.Kind.ANSWER, zeros.tobytes(), nonce)
