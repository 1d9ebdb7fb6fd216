# /// attack
# group = "readers"
# task = "tiny"
# expected = ["scored"]
# canaries = ['log =~ [\x00\x07\x1b\x7f\x9b\u200b\u200f\u202e\u2066]']
# defences = ["clean-log"]
# control = "flip"
# ///
"""Attack: a log that writes to its reader's terminal: escapes, links, bidi marks, NUL, long lines.

Expected: scored; the log has none of it left.
Defence: `log_reader.clean`.
Control: without it everything comes through.
"""

import os

import numpy as np

DIRT = (
    "\x1b[2J\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b]8;;http://localhost/\x1b\\link\x1b]8;;\x1b\\ "
    "\x1bP+q\x1b\\ \x9b31m \u202etxet\u202c \u2066\u200b\u200f\ufeff\x00\x07\x08\x7f\r over\n"
)


def train(data, artifact, seed, seconds):
    os.write(2, DIRT.encode() + b"\xff\xfe\xc3\x28\xed\xa0\x80\n" + b"long" * 2000 + b"\nthe end\n")


def load(artifact):
    return lambda x: np.zeros(len(x))
