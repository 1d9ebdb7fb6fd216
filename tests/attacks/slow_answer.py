# /// attack
# group = "time"
# task = "rooms"
# expected = ["timeout"]
# canaries = ["outcome =~ scored", "rehearsal > 0"]
# defences = ["answer-budget"]
# control = "flip"
# ///
"""Attack: answer byte by byte, so that something always comes and the end never does.

Expected: timeout in the rehearsal.
Defence: `Relay._patience`: a budget for all answers of a scoring, whatever trickles in.
Control: without it the trickle is waited for, and scored.
"""

import os
import sys
import time

import numpy as np

from sealed_task import frames, values

PAUSE = 0.08  # seconds a byte; 16 bytes of header and 8 of answer


def train(data, artifact, seed, seconds):
    pass


def load(artifact):
    return take_over


def take_over(question):
    runner = sys._getframe(1).f_locals
    requests, replies, nonce = runner["requests"], runner["replies"], runner["nonce"]
    pause = PAUSE
    while True:
        zeros = np.zeros(4 if question["ask"] == "free" else ())
        frame = frames.pack(frames.Kind.ANSWER, zeros.tobytes(), nonce)
        for byte in frame:
            os.write(replies.fileno(), bytes([byte]))
            time.sleep(pause)
        pause = 0.0
        _, payload, nonce = frames.read(requests)
        question = values.decode(payload)[1]
