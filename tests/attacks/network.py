# /// attack
# group = "reaching"
# task = "tiny"
# expected = ["crash", "timeout"]
# tried = "links"
# canaries = ["reached =~ .", "way out =~ .", 'links =~ \S']
# defences = ["HostConfig.NetworkMode", "HostConfig.SecurityOpt"]
# control = "flip"
# ///
"""Attack: reach something outside: a service of the host on loopback, its abstract sockets, a route
to anywhere (asked of the kernel by `connect` of a datagram socket, which sends nothing), vsock.

Expected: crash (it ends so, for brevity); nothing was reached, no canary is in the log.
Defence: HostConfig.NetworkMode, and the seccomp list, which has sockets of AF_UNIX alone.
Control: with the host's network the canary is fetched; with a bridge there is a way out.
"""

import socket
import sys

PORT = 0
ABSTRACT = ""


def fetch(family, address):
    with socket.socket(family) as connection:
        connection.settimeout(0.3)
        connection.connect(address)
        return connection.recv(64).decode()


def train(data, artifact, seed, seconds):
    for family, address in (
        (socket.AF_INET, ("127.0.0.1", PORT)),
        (socket.AF_INET6, ("::1", PORT)),
        (socket.AF_UNIX, f"\0{ABSTRACT}"),
        (socket.AF_UNIX, "/var/run/docker.sock"),
        (getattr(socket, "AF_VSOCK", 40), (2, PORT)),
    ):
        try:
            sys.stderr.write(f"\nreached: {address!r} {fetch(family, address)}\n")
        except (OSError, TypeError) as refused:
            sys.stderr.write(f"\nrefused: {refused}\n")
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("192.0.2.1", 9))
            sys.stderr.write(f"\nway out: from {probe.getsockname()[0]}\n")
    except OSError as refused:
        sys.stderr.write(f"\nrefused: {refused}\n")
    with open("/proc/net/dev") as rows:
        links = sorted(row.split(":")[0].strip() for row in rows if row.strip().startswith("e"))
    sys.stderr.write(f"\nlinks: {' '.join(links)}\n")
    raise RuntimeError("that was all")


def load(artifact):
    return None
