# /// attack
# group = "time"
# task = "speed"
# behind = true
# variants = [{ HOW = "processes" }]
# expected = ["scored"]
# canaries = ["score beats 0.5", "raised =~ ^(?!nothing)."]
# defences = ["frozen-while-timed"]
# control = "flip"
#
# [gvisor]
# because = "a priority is nothing that it schedules by, so anyone may set it"
# canaries = ["score beats 0.5", "raised =~ ^(?!(?:nothing|nice)$)."]
# ///
"""Attack: rest while a question is answered, and take the baseline's core, caches and memory while
it answers the same. It stands behind the text of `tasks/speed/train.py`, whose `load` it wraps.

Expected: scored, and no faster than the baseline; no priority is raised, no core is won. Forks may
be too many to be frozen: then it is lost.
Defence: `ask_timed` has every process of the other container frozen before the clock starts.
Control: without the freezer the baseline gets half a core, and the candidate looks fast.
"""

import mmap
import os
import signal
import sys
import threading
import time

HOW = "processes"  # threads, processes, daemon, memory, forks
HOGS = 4
PAUSE = 0.005
"""Seconds from an answer to the hogs' next work, so that the answer is sent undisturbed."""

honest_load = load  # noqa: F821


def load(artifact):
    answer = honest_load(artifact)
    asked = mmap.mmap(-1, 1)  # shared with what is forked
    asked[0] = 0
    sys.setswitchinterval(1e-4)
    print(f"raised: {raised() or 'nothing'}", file=sys.stderr, flush=True)
    for _ in range(HOGS):
        if HOW == "threads":
            threading.Thread(target=work, args=(asked,), daemon=True).start()
        elif os.fork() == 0:
            if HOW == "daemon":
                os.setsid()
                if os.fork():
                    os._exit(0)
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for its children
            os.nice(19)  # against its own parent; a container's share is another matter
            work(asked)

    def rested(pairs):
        asked[0] = 1
        found = answer(pairs)
        asked[0] = 0
        return found

    return rested


def work(asked):
    """Never returns."""
    source = np.ones(1 << 22)  # noqa: F821
    target = np.empty_like(source)  # noqa: F821
    while True:
        if asked[0]:
            while asked[0]:
                time.sleep(0.0005)
            time.sleep(PAUSE)
        if HOW == "memory":
            target[:] = source
        elif HOW == "forks":
            try:
                if os.fork() == 0:
                    os._exit(0)
            except OSError:
                continue
        else:
            sum(range(2000))


def raised():
    """Names of what an unprivileged program could raise, and how many cores it won."""
    found = []
    cores = len(os.sched_getaffinity(0))
    attempts = {
        "nice": lambda: os.nice(-5),
        "fifo": lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)),
        "round-robin": lambda: os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1)),
    }
    for name, attempt in attempts.items():
        try:
            attempt()
            found.append(name)
        except OSError:
            continue
    try:
        os.sched_setaffinity(0, range(os.cpu_count()))
    except OSError:
        pass
    if len(os.sched_getaffinity(0)) > cores:
        found.append("cores")
    return " ".join(found)
