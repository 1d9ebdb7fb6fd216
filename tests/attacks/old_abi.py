# /// attack
# group = "getting out"
# task = "tiny"
# expected = ["crash", "timeout"]
# tried = "status"
# canaries = ["status =~ ^0"]
# defences = ["HostConfig.SecurityOpt"]
# control = "flip"
# ///
"""Attack: system calls by the 32-bit door, where numbers mean something else than in the list.

Expected: crash (it ends so, for brevity); the child that tried was killed.
Defence: the seccomp list has no 32-bit architecture: such a call is the caller's end.
Control: without the list the call is answered (where the host's kernel has that door).
"""

import ctypes
import mmap
import os
import sys

GETPID_BY_INT_80 = bytes.fromhex("b814000000cd80c3")


def train(data, artifact, seed, seconds):
    if os.fork() == 0:
        code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        code.write(GETPID_BY_INT_80)
        address = ctypes.addressof(ctypes.c_char.from_buffer(code))
        answer = ctypes.CFUNCTYPE(ctypes.c_int)(address)()
        os._exit(0 if answer == os.getpid() else 1)
    _, status = os.wait()
    signal = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -1
    sys.stderr.write(f"\nstatus: {code}\nsignal: {signal}\n")
    raise RuntimeError("that was all")


def load(artifact):
    return None
