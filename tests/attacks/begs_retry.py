# /// attack
# group = "forging"
# task = "tiny"
# expected = ["crash"]
# canaries = ["attempts > 1", "outcome =~ error"]
# defences = ["losses-need-a-probe"]
# control = "flip"
# ///
"""Attack: lose every channel while answering, as if the sandbox had failed, for another try.

Expected: an outcome of the candidate's own, after one attempt.
Defence: after the candidate's first byte every loss is its own, unless a trusted probe fails too.
Control: with an engine that seems not to answer, the same loss is tried again.
"""

import os
import signal


def train(data, artifact, seed, seconds):
    pass


def load(artifact):
    def answer(x):
        os.closerange(0, 64)
        os.kill(-1, signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)

    return answer
