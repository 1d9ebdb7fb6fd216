# /// attack
# group = "exhaustion"
# task = "tiny"
# expected = ["crash", "timeout"]
# tried = "locked"
# canaries = ["locked > 64"]
# defences = ["HostConfig.Ulimits"]
# control = "flip"
# ///
"""Attack: lock memory, so that the machine can't take it back when it runs short.

Expected: crash (it ends so, for brevity) with at most 64 KiB.
Defence: HostConfig.Ulimits: memlock.
Control: without it all is locked (bounded at 1 MiB).
"""

import ctypes
import mmap
import sys

MOST, PIECE = 1 << 20, 16 << 10

libc = ctypes.CDLL(None, use_errno=True)
libc.mlock.argtypes = (ctypes.c_void_p, ctypes.c_size_t)


def train(data, artifact, seed, seconds):
    memory = mmap.mmap(-1, MOST)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    locked = 0
    while locked < MOST and not libc.mlock(address + locked, PIECE):
        locked += PIECE
    sys.stderr.write(f"\nlocked: {locked >> 10}\n")
    raise RuntimeError("that was all")


def load(artifact):
    return None
