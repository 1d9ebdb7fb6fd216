"""The allocator of the sandbox's process."""

import subprocess
import sys

import pytest

THREADS = """
import ctypes, sys, threading
from sandbox.memory import keep_flat
if sys.argv[1] == "flat":
    keep_flat()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
together = threading.Barrier(8)
def work():
    block = libc.malloc(1000)
    together.wait()
    libc.free(block)
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the allocator is glibc's")
@pytest.mark.parametrize("kept", ["flat", "as it is"])
def test_threads_share_one_arena(kept: str) -> None:
    """As it is, each thread frays one of its own."""
    told = subprocess.run(
        [sys.executable, "-c", THREADS, kept], capture_output=True, text=True, check=True
    ).stdout
    assert (told.count("<heap nr=") == 1) == (kept == "flat"), told
