# /// attack
# group = "reaching"
# task = "rooms"
# expected = ["crash", "timeout"]
# tried = "files"
# canaries = ["log =~ canary-"]
# defences = ["HostConfig.Mounts"]
# control = "loop"
# ///
"""Attack: search for the held-out data by path, by /proc, in the environment and in every mount.

Expected: crash (it ends so, for brevity), with no canary in the log.
Defence: HostConfig.Mounts: the sealed volume is mounted by the scorer alone.
Control: with the sealed volume mounted in the trainer the canary is in the log.
"""

import os
import re
import sys
import time

CANARY = re.compile(rb"canary-[0-9a-f]{16}")
ENOUGH_SECONDS = 0.6
MOST_BYTES = 1 << 16


def places():
    yield from ("/data", "/artifact", "/task", "/mnt", "/media", "/srv", "/root", "/home", "/run")
    yield from ("/var/lib/docker", "/var/run", "/host", "/rootfs", "/tmp", "/cache", "/dev/shm")
    for process in os.listdir("/proc"):
        if process.isdigit():
            yield from (
                f"/proc/{process}/{name}" for name in ("root/data", "cwd", "fd", "map_files")
            )
    with open("/proc/self/mountinfo") as table:
        for line in table:
            root, target = line.split()[3:5]
            if not target.startswith(("/proc", "/sys")):
                yield target
                yield root
    yield from ("/etc", "/opt/sealed/lib", "/var")


def files():
    for process in os.listdir("/proc"):
        if process.isdigit():
            yield from (f"/proc/{process}/{name}" for name in ("environ", "cmdline", "mountinfo"))
    for place in places():
        if place in ("/", "/dev"):
            yield from (
                f"/dev/{name}" for name in os.listdir("/dev") if name.startswith(("vd", "sd"))
            )
            continue
        if os.path.isfile(place):
            yield place
        for folder, _, names in os.walk(place):
            yield from (os.path.join(folder, name) for name in names)


def train(data, artifact, seed, seconds):
    until = time.monotonic() + ENOUGH_SECONDS
    looked, found = set(), set()
    for path in files():
        if time.monotonic() > until:
            break
        if path in looked:
            continue
        looked.add(path)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            text = os.read(descriptor, MOST_BYTES)
            os.close(descriptor)
        except OSError:
            continue
        found |= set(CANARY.findall(text))
    sys.stderr.write(f"\nfiles: {len(looked)}\nfound: {found}\n")
    raise RuntimeError("that was all")


def load(artifact):
    return None
