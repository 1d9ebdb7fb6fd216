# /// attack
# group = "exhaustion"
# task = "tiny"
# expected = ["crash", "over_memory"]
# canaries = ["held > 128"]
# defences = ["HostConfig.SecurityOpt"]
# control = "flip"
# ///
"""Attack: hold memory that the container's limit does not count: what lies in the buffers of its
own loopback connections (bounded at 160 MiB, where 128 are allowed in all).

Expected: crash or over_memory; no more is held than the memory limit allows.
Defence: the seccomp list: sockets of AF_UNIX alone, whose buffers are counted.
Control: without the list all of it is held (where the kernel does not count it).
"""

import socket
import sys

MEBIBYTES = 160


def train(data, artifact, seed, seconds):
    held, kept, chunk = 0, [], bytes(1 << 20)
    listener = socket.create_server(("127.0.0.1", 0))
    while held < MEBIBYTES << 20:
        writer = socket.create_connection(listener.getsockname())
        kept += [writer, listener.accept()[0]]
        writer.setblocking(False)
        try:
            while held < MEBIBYTES << 20:
                held += writer.send(chunk)
        except BlockingIOError:
            pass
    sys.stderr.write(f"\nheld: {held >> 20}\n")
    raise RuntimeError("that was all")


def load(artifact):
    return None
