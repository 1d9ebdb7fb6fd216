# /// attack
# group = "exhaustion"
# task = "tiny"
# expected = ["crash", "timeout"]
# tried = "adjusted"
# canaries = ["adjusted < 900"]
# defences = ["HostConfig.OomScoreAdj"]
# control = "flip"
# ///
"""Attack: ask the kernel to take another process than this one when memory runs out.

Expected: crash (it ends so, for brevity); this one stays the first to die.
Defence: HostConfig.OomScoreAdj.
Control: without it the sandbox is as likely to die.
"""

import sys
from pathlib import Path

FILE = Path("/proc/self/oom_score_adj")


def train(data, artifact, seed, seconds):
    for wanted in (-1000, -500, 0, 500, 800):
        try:
            FILE.write_text(str(wanted))
            break
        except OSError:
            continue
    sys.stderr.write(f"\nadjusted: {FILE.read_text().strip()}\n")
    raise RuntimeError("that was all")


def load(artifact):
    return None
