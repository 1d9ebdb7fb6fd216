# /// attack
# group = "exhaustion"
# task = "rooms"
# expected = ["crash", "timeout"]
# tried = "tasks"
# canaries = ["tasks > 512"]
# defences = ["HostConfig.PidsLimit"]
# control = "flip"
#
# [gvisor]
# because = "the limit counts its kernel's threads, as `sealed doctor` does; memory bounds tasks"
# canaries = []
# ///
"""Attack: fork, and start threads in each child, until it is refused (bounded at 620 tasks in all,
a fifth more than is allowed).

Expected: crash (it ends so, for brevity) after at most 512 tasks.
Defence: HostConfig.PidsLimit.
Control: without it there are 620.
"""

import os
import sys
import threading
import time

CHILDREN, EACH = 20, 31


def child(report):
    threads = 0
    try:
        for _ in range(EACH - 1):
            threading.Thread(target=time.sleep, args=(10,), daemon=True).start()
            threads += 1
    except RuntimeError:
        pass
    os.write(report, b"x" * (1 + threads))
    time.sleep(10)
    os._exit(0)


def train(data, artifact, seed, seconds):
    reading, report = os.pipe()
    tasks = children = 0
    for _ in range(CHILDREN):
        try:
            if os.fork() == 0:
                child(report)
        except OSError:
            break
        children += 1
        tasks += len(os.read(reading, 64))
    sys.stderr.write(f"\nprocesses: {children}\ntasks: {tasks}\n")
    sys.stderr.flush()
    os._exit(1)


def load(artifact):
    return None
