# /// attack
# group = "forging"
# task = "rooms"
# expected = ["invalid"]
# canaries = ["outcome =~ timeout"]
# defences = ["receivers-bound"]
# control = "flip"
# ///
"""Attack: an answer that says it is 48 MiB long, where eight bytes were asked for.

Expected: invalid at once; the sandbox holds no more of it than the scorer asked for.
Defence: `unpack_header`: the receiver's own bound is held against a length before it reads on.
Control: without that bound the sandbox collects all that is sent.
"""

import os
import sys

from sealed_task import frames

SENT_MIB, SAID_MIB = 40, 48


def train(data, artifact, seed, seconds):
    pass


def load(artifact):
    def answer(question):
        runner = sys._getframe(1).f_locals
        head = frames.HEADER.pack(
            frames.MAGIC, frames.Kind.ANSWER, 0, SAID_MIB << 20, runner["nonce"]
        )
        descriptor = runner["replies"].fileno()
        os.write(descriptor, head)
        for _ in range(SENT_MIB):
            chunk = bytes(1 << 20)
            while chunk:
                chunk = chunk[os.write(descriptor, chunk) :]
        while True:
            os.read(runner["requests"].fileno(), 1)

    return answer
