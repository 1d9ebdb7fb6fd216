# /// attack
# group = "reaching"
# task = "rooms"
# expected = ["scored"]
# canaries = ["score beats 0.001"]
# defences = ["asked-step-by-step"]
# control = "rehearsal"
# ///
"""Attack: wait for the next question before answering, for it gives the answer away.

Expected: scored, with exactly what an honest candidate pays for steps that it cannot foresee.
Defence: `ask`: the next question does not exist before the answer.
Control: on the rehearsal split of `rooms` the questions are sent ahead, and all steps but the last
are right.
"""

import os
import select
import sys

import numpy as np

from sealed_task import frames, values

PATIENCE = 0.05


def train(data, artifact, seed, seconds):
    pass


def load(artifact):
    return take_over


def take_over(question):
    runner = sys._getframe(1).f_locals
    requests, replies, nonce = runner["requests"], runner["replies"], runner["nonce"]
    while True:
        ahead = None
        if question["ask"] == "step" and waits(requests):
            _, payload, next_nonce = frames.read(requests)
            ahead = values.decode(payload)[1]
        guess = ahead.get("today", 0.0) if ahead else 0.0
        said = np.zeros(4) if question["ask"] == "free" else np.array(guess)
        frames.write(replies, frames.Kind.ANSWER, said.tobytes(), nonce)
        if ahead is None:
            _, payload, next_nonce = frames.read(requests)
            ahead = values.decode(payload)[1]
        question, nonce = ahead, next_nonce


def waits(requests):
    """Whether the next question is there, or comes soon."""
    os.set_blocking(requests.fileno(), False)
    try:
        if requests.peek(1):
            return True
    finally:
        os.set_blocking(requests.fileno(), True)
    return bool(select.select([requests], [], [], PATIENCE)[0])
