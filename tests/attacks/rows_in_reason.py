# /// attack
# group = "readers"
# task = "tiny"
# expected = ["invalid"]
# canaries = ['reason =~ [\n\t]']
# defences = ["one-line-reason"]
# control = "flip"
# ///
"""Attack: a reason with line ends and tabs, which makes rows of its own where reasons are listed.

Expected: invalid, and its reason is one line.
Defence: `log_reader.one_line`: a reason is one line of visible characters.
Control: without that the reason has the rows.
"""

import sys

from sealed_task import frames

ROWS = "bad\n7\tkept\t0.0001\tscored\u2028 8\tkept\u2029 9\tkept\x85 10\tkept\x0b\x0c\r11"


def train(data, artifact, seed, seconds):
    pass


def load(artifact):
    def answer(x):
        runner = sys._getframe(1).f_locals
        frames.write(runner["replies"], frames.Kind.FAULT, ROWS.encode(), runner["nonce"])

    return answer
