# /// attack
# group = "living on"
# task = "rooms"
# expected = ["scored", "crash"]
# canaries = ["score beats 0.001", "rehearsal beats 0.001"]
# defences = ["HostConfig.SecurityOpt"]
# control = "flip"
# ///
"""Attack: a note in a read-only artifact without holes: `mbind` gives a page of it a memory policy,
which the kernel keeps with the file, and `get_mempolicy` tells it to whoever comes later.

Expected: scored with exactly what an honest candidate pays, or a crash for the refused call.
Defence: the seccomp list has neither `mbind` nor `get_mempolicy`.
Control: without the list the second predictor knows the number.
"""

import ctypes
import mmap
import os

import numpy as np

BITS, SCORINGS, PAGE = 30, 2, 4096
PREFERRED, BY_ADDRESS = 1, 2
CALLS = {"x86_64": (237, 239), "aarch64": (235, 236)}
MBIND, GET_MEMPOLICY = CALLS[os.uname().machine]

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long)


def train(data, artifact, seed, seconds):
    for scoring in range(SCORINGS):
        (artifact / f"note{scoring}").write_bytes(os.urandom(PAGE * (BITS + 1)))


def call(number, *arguments):
    if libc.syscall(ctypes.c_long(number), *arguments) < 0:
        raise OSError(ctypes.get_errno(), "refused")


class Note:
    """The file of one scoring, mapped to be read; the last page is a mark."""

    def __init__(self, artifact, scoring):
        descriptor = os.open(artifact / f"note{scoring}", os.O_RDONLY)
        size = PAGE * (BITS + 1)
        self.address = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, descriptor, 0)

    def page(self, number):
        return ctypes.c_void_p(self.address + number * PAGE)

    def write(self, number):
        nodes, most, length = ctypes.c_ulong(1), ctypes.c_ulong(64), ctypes.c_ulong(PAGE)
        preferred, flags = ctypes.c_ulong(PREFERRED), ctypes.c_ulong(0)
        call(MBIND, self.page(number), length, preferred, ctypes.byref(nodes), most, flags)

    def read(self, number):
        policy, most, flags = ctypes.c_int(), ctypes.c_ulong(0), ctypes.c_ulong(BY_ADDRESS)
        call(GET_MEMPOLICY, ctypes.byref(policy), None, most, self.page(number), flags)
        return policy.value == PREFERRED


def load(artifact):
    def remember(number):
        notes = [Note(artifact, scoring) for scoring in range(SCORINGS)]
        note = next((note for note in notes if not note.read(BITS)), notes[0])
        for bit in [BITS, *(bit for bit in range(BITS) if number >> bit & 1)]:
            note.write(bit)

    def recall():
        for scoring in reversed(range(SCORINGS)):
            note = Note(artifact, scoring)
            if note.read(BITS):
                return sum(note.read(bit) << bit for bit in range(BITS))
        return 0

    def answer(question):
        if question["ask"] == "remember":
            remember(question["number"])
        if question["ask"] == "recall":
            return np.float64(recall())
        return np.zeros(4 if question["ask"] == "free" else ())

    return answer
