# /// attack
# group = "exhaustion"
# task = "rooms"
# expected = ["crash", "timeout"]
# tried = "percent"
# canaries = ["percent > 140"]
# defences = ["HostConfig.NanoCpus", "HostConfig.CpusetCpus"]
# control = "flip"
#
# [gvisor]
# because = "it counts time that it was not given; the host's count stays within the limit"
# canaries = []
# ///
"""Attack: compute on more processors than the task gives, to get more done within the budget.

Expected: crash (it ends so, for brevity); four busy processes get one processor between them.
Defence: HostConfig.NanoCpus and HostConfig.CpusetCpus.
Control: without them they get all that the machine has.
"""

import os
import resource
import sys
import time

PROCESSES, SECONDS = 4, 0.5


def train(data, artifact, seed, seconds):
    began = time.monotonic()
    for _ in range(PROCESSES):
        if os.fork() == 0:
            while time.monotonic() < began + SECONDS:
                pass
            os._exit(0)
    for _ in range(PROCESSES):
        os.wait()
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    share = (spent.ru_utime + spent.ru_stime) / (time.monotonic() - began)
    sys.stderr.write(f"\npercent: {share * 100:.0f}\n")
    raise RuntimeError("that was all")


def load(artifact):
    return None
