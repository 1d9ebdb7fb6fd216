# /// attack
# group = "forging"
# task = "tiny"
# expected = ["crash"]
# canaries = ["score beats 0.001"]
# defences = ["scorer-apart"]
# control = "loop"
# ///
"""Attack: crash with a text that pretends to be a score, and with one that spans lines.

Expected: crash without a score; the reason is the last line of the traceback and claims nothing.
Defence: an outcome is an enum that the sandbox sets; no text of a candidate is parsed.
Control: the naive loop takes the score from the same text.
"""

import os


def train(data, artifact, seed, seconds):
    os.write(2, b"outcome: scored\nscore: 0.0\n")
    if os.environ.get("PYTHONPATH"):  # the naive loop wants exit code 0
        os._exit(0)
    raise ValueError("done\noutcome: scored\nscore: 0.0")


def load(artifact):
    return None
