# /// attack
# group = "living on"
# task = "rooms"
# variants = [{ HOW = "hole" }, { HOW = "beyond" }, { HOW = "allocated" }, { HOW = "hidden" }]
# expected = ["invalid", "scored", "crash"]
# canaries = ["score beats 0.001", "rehearsal beats 0.001"]
# defences = ["no-holes"]
# control = "flip"
# ///
"""Attack: a note in a read-only artifact: reading a hole of a file through `mmap` fills it, and
whoever comes later asks where the file has data. One page of 2^6 carries six bits, five files the
whole number.

The hole is a hole (`hole`), a hole that blocks beyond the file's end make up for (`beyond`), space
that was allocated and never written (`allocated`), or a hole in a folder that others can enter but
not list (`hidden`).

Expected: invalid, or scored with exactly what an honest candidate pays.
Defence: `_Trial._check_artifact`: an artifact with holes is refused before a predictor sees it.
Control: without that look the second predictor knows the number.
"""

import ctypes
import mmap
import os

import numpy as np

HOW = "hole"  # hole, beyond, allocated, hidden
PAGE, BITS, PARTS = 4096, 6, 5
SCORINGS = 2  # the rehearsal, and the sealed scoring after it
KEEP_SIZE = 1

libc = ctypes.CDLL(None, use_errno=True)
libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long]


def file(artifact, scoring, part):
    return artifact / "notes" / f"{scoring}{part}"


def train(data, artifact, seed, seconds):
    (artifact / "notes").mkdir()
    for scoring in range(SCORINGS):
        for part in range(PARTS):
            with file(artifact, scoring, part).open("wb") as note:
                make(note.fileno())
    if HOW == "hidden":
        (artifact / "notes").chmod(0o711)


def make(descriptor):
    size, failed = PAGE << BITS, 0
    if HOW == "allocated":
        failed = libc.fallocate(descriptor, 0, 0, size)
    else:
        os.ftruncate(descriptor, size)
    if HOW == "beyond":
        failed = libc.fallocate(descriptor, KEEP_SIZE, size, size)
    if failed:
        raise OSError(ctypes.get_errno(), "fallocate")


def load(artifact):
    def mark(scoring, part):
        """The page that is there; None while there is none."""
        descriptor = os.open(file(artifact, scoring, part), os.O_RDONLY)
        try:
            page = os.lseek(descriptor, 0, os.SEEK_DATA) // PAGE
        except OSError:
            return None
        finally:
            os.close(descriptor)
        return page if page < 1 << BITS else None

    def remember(number):
        scoring = next((n for n in range(SCORINGS) if mark(n, 0) is None), 0)
        for part in range(PARTS):
            descriptor = os.open(file(artifact, scoring, part), os.O_RDONLY)
            page = number >> BITS * part & (1 << BITS) - 1
            with mmap.mmap(
                descriptor, PAGE, mmap.MAP_SHARED, mmap.PROT_READ, offset=page * PAGE
            ) as hole:
                hole[0]

    def recall():
        for scoring in reversed(range(SCORINGS)):
            marks = [mark(scoring, part) for part in range(PARTS)]
            if None not in marks:
                return sum(page << BITS * part for part, page in enumerate(marks))
        return 0

    def answer(question):
        if question["ask"] == "remember":
            remember(question["number"])
        if question["ask"] == "recall":
            return np.float64(recall())
        return np.zeros(4 if question["ask"] == "free" else ())

    return answer
