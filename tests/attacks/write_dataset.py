# /// attack
# group = "living on"
# task = "rooms"
# expected = ["crash", "timeout"]
# tried = "written"
# canaries = ['written =~ \S']
# defences = ["HostConfig.Mounts", "HostConfig.ReadonlyRootfs", "unprivileged-uid"]
# control = "flip"
# ///
"""Attack: write into the data set, the task's folder and the image, for trials to come.

Expected: crash (it ends so, for brevity), with nothing written.
Defence: HostConfig.Mounts (read-only), HostConfig.ReadonlyRootfs, and files that belong to root.
Control: as root, with writable mounts, it is written. (It takes back what it wrote.)
"""

import os
import sys

PLACES = (
    "/data/public",
    "/data/public/train",
    "/data/public/rehearsal",
    "/task",
    "/opt/sealed/lib",
)


def train(data, artifact, seed, seconds):
    written = []
    for place in PLACES:
        try:
            os.close(os.open(f"{place}/left", os.O_CREAT | os.O_WRONLY))
            os.unlink(f"{place}/left")
            written.append(place)
        except OSError:
            pass
        for name in os.listdir(place):
            try:
                os.close(os.open(f"{place}/{name}", os.O_WRONLY))
                written.append(f"{place}/{name}")
            except OSError:
                pass
    sys.stderr.write(f"\nwritten: {' '.join(written)}\n")
    raise RuntimeError("that was all")


def load(artifact):
    return None
