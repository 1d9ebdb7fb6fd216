# /// attack
# group = "reaching"
# task = "trading"
# expected = ["scored"]
# defences = ["asked-step-by-step"]
# control = "tests"
# ///
"""Attack: wait for the next question before answering, for its close tells which way to bet.

Expected: scored, with 0: no next day comes, so it never trades.
Defence: `ask`: the next question does not exist before the answer.
Control: with `ask_all` the days are sent ahead, and all bets but the last are right.
"""

import os
import select
import sys

import numpy as np

from sealed_task import frames, values

CLOSE = 2
PATIENCE = 0.02


def train(data, artifact, seed, seconds):
    pass


def load(artifact):
    return take_over


def take_over(today):
    runner = sys._getframe(1).f_locals
    requests, replies, nonce = runner["requests"], runner["replies"], runner["nonce"]
    while True:
        following = receive(requests) if waits(requests) else None
        bet = np.zeros(2) if following is None else np.sign(following[0][:, CLOSE])
        frames.write(replies, frames.Kind.ANSWER, bet.tobytes(), nonce)
        _, nonce = following or receive(requests)


def receive(requests):
    _, payload, nonce = frames.read(requests)
    return values.decode(payload)[1], nonce


def waits(requests):
    """Whether the next question is there, or comes soon."""
    os.set_blocking(requests.fileno(), False)
    try:
        if requests.peek(1):
            return True
    finally:
        os.set_blocking(requests.fileno(), True)
    return bool(select.select([requests], [], [], PATIENCE)[0])
