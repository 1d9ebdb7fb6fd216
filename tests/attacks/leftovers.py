# /// attack
# group = "living on"
# task = "tiny"
# variants = [{}, { NOTE = "canary-second" }]
# expected = ["crash", "timeout"]
# tried = "left"
# canaries = ['found =~ \S']
# defences = ["HostConfig.IpcMode", "HostConfig.Tmpfs", "HostConfig.SecurityOpt"]
# control = "loop"
# ///
"""Attack: leave a note in every place that might outlive the trial, and look for an earlier one's.

Expected: crash (it ends so, for brevity); the second trial finds nothing of the first.
Defence: fresh containers, HostConfig.IpcMode, HostConfig.Tmpfs, and the seccomp list for keyrings,
System V memory and queues.
Control: with shared memory that is not the container's own, the second trial finds the note.
"""

import ctypes
import os
import sys
from pathlib import Path

NOTE = "canary-first"
PLACES = (
    "/artifact", "/tmp", "/dev/shm", "/cache", "/dev/mqueue", "/var/tmp", "/run/lock", "/var/lock",
    "/data/public", "/data/public/train", "/task", "/opt/sealed/lib", "/root", "/home",
)  # fmt: skip
KEY, BYTES, CREATE = 0x5EA1ED, 4096, 0o1666
CALLS = {
    "x86_64": {"shmget": 29, "shmat": 30, "add_key": 248, "request_key": 249},
    "aarch64": {"shmget": 194, "shmat": 196, "add_key": 217, "request_key": 218},
}[os.uname().machine]
USER_SESSION_KEYRING = -5

libc = ctypes.CDLL(None)
libc.syscall.restype = ctypes.c_long


def train(data, artifact, seed, seconds):
    found, left = [], []
    for place in map(Path, PLACES):
        try:
            found += [path for path in map(str, place.iterdir()) if "canary-" in path]
            (place / NOTE).touch()
            (place / NOTE).chmod(0o666)
            left.append(str(place))
        except OSError:
            continue
    memory = libc.syscall(CALLS["shmget"], KEY, BYTES, CREATE)
    if memory >= 0:
        address = libc.syscall(CALLS["shmat"], memory, 0, 0)
        found.append(ctypes.string_at(address).decode())
        ctypes.memmove(address, NOTE.encode() + b"\0", len(NOTE) + 1)
        left.append("shmget")
    if libc.syscall(CALLS["request_key"], b"user", b"sealed", 0, USER_SESSION_KEYRING) >= 0:
        found.append("canary-key")
    if libc.syscall(CALLS["add_key"], b"user", b"sealed", b"x", 1, USER_SESSION_KEYRING) >= 0:
        left.append("add_key")
    sys.stderr.write(f"\nleft: {' '.join(left)}\nfound: {' '.join(found)}\n")
    raise RuntimeError("that was all")


def load(artifact):
    return None
