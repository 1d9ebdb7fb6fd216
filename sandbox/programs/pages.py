"""Carries bits through the page cache of a file that containers of one image share.

`send COUNT` finds windows of the largest file whose ninth page nobody has read, reads it in some
of them, and prints the windows and the bits. `receive WINDOW…` prints the bits that it sees: a
window's first page is touched, and the kernel maps those neighbours with it that are cached.
"""

import ctypes
import json
import mmap
import os
import sys

PAGE, WINDOW, NEIGHBOUR = 4096, 16, 8
SHARED_FIXED = 0x01 | 0x10
ADVISE_RANDOM = 1  # a fault reads one page, and none ahead
AT = 0x600000000000  # a multiple of the window, so that windows begin as in the file

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
integers = (ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long)
libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *integers)
libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)


def largest() -> str:
    """Path of the largest file of the image."""
    paths = (
        os.path.join(folder, name)
        for root in ("/opt", "/usr")
        for folder, _, names in os.walk(root)
        for name in names
    )
    return max((p for p in paths if os.path.isfile(p)), key=lambda p: (os.path.getsize(p), p))


file = os.open(largest(), os.O_RDONLY)
size = os.fstat(file).st_size
if libc.mmap(AT, size, mmap.PROT_READ, SHARED_FIXED, file, 0) != AT:
    sys.exit("no mapping")
libc.madvise(AT, size, ADVISE_RANDOM)
pagemap = os.open("/proc/self/pagemap", os.O_RDONLY)


def touch(page: int) -> None:
    """Read one byte of a page."""
    ctypes.string_at(AT + page * PAGE, 1)


def seen(window: int) -> int:
    """Whether the neighbour came along."""
    touch(window * WINDOW)
    page = AT // PAGE + window * WINDOW + NEIGHBOUR
    return int.from_bytes(os.pread(pagemap, 8, page * 8), "little") >> 63


if sys.argv[1] == "send":
    count = int(sys.argv[2])
    cold: list[int] = []
    for window in range(size // PAGE // WINDOW):
        if len(cold) < count and not seen(window):
            cold.append(window)
    bits = [os.urandom(1)[0] & 1 for _ in cold]
    for window, bit in zip(cold, bits, strict=True):
        if bit:
            touch(window * WINDOW + NEIGHBOUR)
    print(json.dumps({"windows": cold, "bits": bits}), file=sys.stderr)
else:
    print(json.dumps({"bits": [seen(int(window)) for window in sys.argv[2:]]}), file=sys.stderr)
