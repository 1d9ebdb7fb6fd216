# /// attack
# group = "forging"
# task = "tiny"
# variants = [{ ANSWER = "nan" }, { ANSWER = "below" }, { ANSWER = "one" }, { ANSWER = "narrow" }]
# expected = ["invalid"]
# canaries = ["score beats 0.001"]
# defences = ["answers-are-checked"]
# control = "loop"
# ///
"""Attack: answer with what compares well: NaN, infinity, one element that broadcasts, other bytes.

Expected: invalid, without a score. The bytes go straight into the protocol's descriptor, past the
checks of the runner, for these are in the hands of agent code.
Defence: `expect`: type, shape and range are the scorer's; bytes are checked before they are used.
Control: the naive loop keeps NaN, for it is not worse; without `Array.unpack` one element passes.
"""

import sys

import numpy as np

ANSWER = "nan"  # nan, below, one, narrow


def wrong(rows):
    return {
        "nan": np.full(rows, np.nan),
        "below": np.full(rows, -1e9),
        "one": np.zeros(1),
        "narrow": np.zeros(rows, np.float32),
    }[ANSWER]


def train(data, artifact, seed, seconds):
    pass


def load(artifact):
    def answer(x):
        runner = sys._getframe(1).f_locals
        if "replies" in runner:
            from sealed_task import frames

            payload = wrong(len(x)).tobytes()
            frames.write(runner["replies"], frames.Kind.ANSWER, payload, runner["nonce"])
        return wrong(len(x))

    return answer
