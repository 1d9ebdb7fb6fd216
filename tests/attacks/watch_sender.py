# /// attack
# group = "living on"
# task = "rooms"
# variants = [{ HOW = "inotify" }, { HOW = "notify" }]
# expected = ["crash"]
# canaries = ["score beats 0.001", "rehearsal beats 0.001"]
# defences = ["HostConfig.SecurityOpt", "one-at-a-time"]
# control = "flip"
# ///
"""Attack: a child of the first predictor reads files, one for each bit of the number that is set,
over and over; the second predictor has itself told which files of the artifact somebody reads.

Expected: crash, for no file can be watched.
Defence: the seccomp list has no inotify, fanotify and F_NOTIFY; one predictor is alive at a time.
Control: without the list, and with a first predictor that lives on, the second knows the number.
"""

import ctypes
import fcntl
import os
import signal
import struct
import time

import numpy as np

HOW = "inotify"  # or "notify"
BITS = 30
SECONDS = 0.4
IN_OPEN, IN_NONBLOCK = 0x20, 0o4000
EVENT = "iIII"
F_SETSIG, F_NOTIFY = 10, 1026
DN_ACCESS, DN_MULTISHOT = 1, 0x80000000
FIRST_SIGNAL = 34

libc = ctypes.CDLL(None, use_errno=True)
held = []


def train(data, artifact, seed, seconds):
    for bit in range(BITS):
        (artifact / f"bit{bit}").mkdir()
        (artifact / f"bit{bit}" / "file").write_text("shared\n")


def checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return result


def opened(paths):
    """Those of the files that somebody opens."""
    watcher = checked(libc.inotify_init1(IN_NONBLOCK))
    names = [os.fsencode(path / "file") for path in paths]
    watches = [checked(libc.inotify_add_watch(watcher, name, IN_OPEN)) for name in names]
    time.sleep(SECONDS)
    events = struct.iter_unpack(EVENT, os.read(watcher, 1 << 16))
    seen = {watch for watch, *_ in events}
    return [watch in seen for watch in watches]


def accessed(paths):
    """Those of the folders of whose files somebody reads: a signal each."""
    seen = set()
    for n, path in enumerate(paths):
        signal.signal(FIRST_SIGNAL + n, lambda number, _: seen.add(number - FIRST_SIGNAL))
        held.append(os.open(path, os.O_RDONLY))
        fcntl.fcntl(held[-1], F_SETSIG, FIRST_SIGNAL + n)
        fcntl.fcntl(held[-1], F_NOTIFY, DN_ACCESS | DN_MULTISHOT)
    time.sleep(SECONDS)
    return [n in seen for n in range(BITS)]


def load(artifact):
    paths = [artifact / f"bit{bit}" for bit in range(BITS)]

    def remember(number):
        if os.fork() == 0:
            while True:
                for bit in range(BITS):
                    if number >> bit & 1:
                        (paths[bit] / "file").read_text()
                time.sleep(0.01)

    def recall():
        seen = opened(paths) if HOW == "inotify" else accessed(paths)
        return sum(bit << n for n, bit in enumerate(seen))

    def answer(question):
        if question["ask"] == "remember":
            remember(question["number"])
        if question["ask"] == "recall":
            return np.float64(recall())
        return np.zeros(4 if question["ask"] == "free" else ())

    return answer
