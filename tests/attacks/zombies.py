# /// attack
# group = "exhaustion"
# task = "tiny"
# expected = ["crash", "timeout"]
# tried = "zombies"
# canaries = ["zombies > 10"]
# defences = ["HostConfig.Init"]
# control = "flip"
#
# [gvisor]
# because = "its forks are slow"
# budget_seconds = 8
# memory_mib = 512
# ///
"""Attack: orphans that end at once, which fill the process table where nobody reaps them.

Expected: crash (it ends so, for brevity); none of 100 orphans is left.
Defence: HostConfig.Init: an init that reaps.
Control: without it the orphans stay as zombies.
"""

import os
import sys
import time
from pathlib import Path

MOST = 100


def train(data, artifact, seed, seconds):
    made = 0
    for _ in range(MOST // 50):
        try:
            child = os.fork()
        except OSError:
            break
        if child == 0:
            for _ in range(50):
                if os.fork() == 0:
                    os._exit(0)
            os._exit(0)
        os.waitpid(child, 0)
        made += 50
    time.sleep(0.1)
    states = [
        path.read_text().rsplit(")", 1)[1].split()[0] for path in Path("/proc").glob("[0-9]*/stat")
    ]
    sys.stderr.write(f"\nmade: {made}\nzombies: {states.count('Z')}\n")
    sys.stderr.flush()
    os._exit(1)


def load(artifact):
    return None
