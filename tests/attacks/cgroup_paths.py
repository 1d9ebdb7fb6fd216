# /// attack
# group = "getting out"
# task = "tiny"
# expected = ["crash", "timeout"]
# tried = "paths"
# canaries = ["paths =~ [0-9a-f]{12}"]
# defences = ["HostConfig.CgroupnsMode"]
# control = "flip"
#
# [gvisor]
# because = "it makes up the folders that it shows, and calls them as the container is called"
# canaries = ["paths =~ docker|podman|containerd|kube|slice"]
# ///
"""Attack: learn of the host by the paths of its cgroups: what runs it, and which container this is.

Expected: crash (it ends so, for brevity); every path is the root of the container's own tree.
Defence: HostConfig.CgroupnsMode.
Control: in the host's namespace the paths have the container's id.
"""

import sys
from pathlib import Path


def train(data, artifact, seed, seconds):
    lines = Path("/proc/self/cgroup").read_text().split("\n")
    seen = {line.split(":", 2)[2] for line in lines if line}
    for line in Path("/proc/self/mountinfo").read_text().split("\n"):
        if " - cgroup" in line:
            seen.add(line.split()[3])
    sys.stderr.write(f"\npaths: {' '.join(sorted(seen))}\n")
    raise RuntimeError("that was all")


def load(artifact):
    return None
