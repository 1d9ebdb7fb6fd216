# /// attack
# group = "time"
# task = "tiny"
# expected = ["timeout"]
# tried = "beat"
# canaries = ["beat spans 2.5"]
# defences = ["Cmd", "clock-of-the-sandbox"]
# control = "flip"
#
# [gvisor]
# because = "its own kernel takes memory, too"
# memory_mib = 512
# ///
"""Attack: processes that mean to live on: new sessions, double forks, CLONE_PARENT, every signal
ignored, and busy ones that leave the timer no time. Each beats while it lives.

Expected: the last beat is no later than the deadline, but for what killing takes.
Defence: Cmd (the timer: when it ends, the kernel kills all), and the sandbox's own clock and kill.
Control: with both of them late, hearts beat on after the deadline.
"""

import ctypes
import os
import signal
import time

BUSY = 40
CLONE_PARENT = 0x8000
CLONE = {"x86_64": 56, "aarch64": 220}


def beat():
    while True:
        os.write(2, b"beat: %.4f\n" % time.monotonic())
        time.sleep(0.02)


def ignore_signals():
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)


def train(data, artifact, seed, seconds):
    ignore_signals()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            beat()
        os._exit(0)
    sibling = ctypes.CDLL(None).syscall(
        CLONE[os.uname().machine], CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0
    )
    if sibling == 0:
        beat()
    for _ in range(BUSY):
        if os.fork() == 0:
            os.setsid()
            while True:
                pass
    beat()


def load(artifact):
    raise FileNotFoundError("nothing was trained")
