# /// attack
# group = "time"
# task = "tiny"
# expected = ["timeout"]
# tried = "others"
# canaries = ["touched =~ .", "beat spans 2.5"]
# defences = ["User", "clock-of-the-sandbox"]
# control = "flip"
#
# [gvisor]
# because = "a priority is nothing that it schedules by, so anyone may set it"
# canaries = ['touched =~ ^\d+ (?!nice$)', "beat spans 2.5"]
# ///
"""Attack: stop, trace, starve or feed the timer, and whatever else is not one's own.

Expected: no process was touched, and the last beat is no later than the deadline.
Defence: User: the timer has a uid of its own; the seccomp list has no ptrace, no process_vm_*.
Control: with one uid the timer is stopped, and hearts beat on after the deadline.
"""

import ctypes
import os
import resource
import signal
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)
PTRACE = {"x86_64": 101, "aarch64": 117}[os.uname().machine]
PTRACE_SEIZE = 0x4206


def call(*arguments):
    if libc.syscall(*arguments) < 0:
        raise OSError(ctypes.get_errno(), "refused")


def write(path, data):
    descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    os.write(descriptor, data)


def ways(process):
    yield "stop", lambda: os.kill(process, signal.SIGSTOP)
    yield "tstp", lambda: os.kill(process, signal.SIGTSTP)
    if os.getpgid(process) > 1:  # for the first group, libc's killpg means all that is one's own
        yield "group", lambda: os.killpg(os.getpgid(process), signal.SIGSTOP)
    yield "trace", lambda: call(PTRACE, PTRACE_SEIZE, process, 0, 0)
    yield "limit", lambda: resource.prlimit(process, resource.RLIMIT_CPU, (0, 0))
    yield "nice", lambda: os.setpriority(os.PRIO_PROCESS, process, 19)
    yield "idle", lambda: os.sched_setscheduler(process, os.SCHED_IDLE, os.sched_param(0))
    yield "feed", lambda: write(f"/proc/{process}/fd/0", b"600\n")
    yield "memory", lambda: write(f"/proc/{process}/mem", b"")
    yield "score", lambda: write(f"/proc/{process}/oom_score_adj", b"1000")


def train(data, artifact, seed, seconds):
    others = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    others.remove(os.getpid())
    for process in others:
        for name, way in ways(process):
            try:
                way()
            except OSError:
                continue
            sys.stderr.write(f"\ntouched: {process} {name}\n")
    sys.stderr.write(f"\nothers: {len(others)}\n")
    while True:
        os.write(2, b"beat: %.4f\n" % time.monotonic())
        time.sleep(0.02)


def load(artifact):
    raise FileNotFoundError("nothing was trained")
