# /// attack
# group = "reaching"
# task = "tiny"
# expected = ["scored"]
# canaries = ["score beats 0.001"]
# defences = ["HostConfig.Mounts"]
# control = "flip"
# ///
"""Attack: links in the artifact that point to held-out files, for whoever follows them later.

Expected: scored, with the honest score of zeros.
Defence: HostConfig.Mounts: no container that runs agent code mounts the sealed volume, and no
trusted one opens an artifact.
Control: with the sealed volume mounted in predictors the links lead to the labels.
"""

import os

import numpy as np

TARGETS = ("/data/sealed/held_out/y.npy", "/data/sealed/vault/y.npy", "/proc/1/root/data/sealed")


def train(data, artifact, seed, seconds):
    for number, target in enumerate(TARGETS):
        (artifact / f"link{number}").symlink_to(target)
        try:
            os.link(target, artifact / f"hard{number}")
        except OSError:
            pass
    (artifact / "up").symlink_to("../data/sealed")


def load(artifact):
    for path in (artifact / "link0", artifact / "hard0", artifact / "up" / "held_out" / "y.npy"):
        try:
            labels = np.load(path)
        except OSError:
            continue
        return lambda x: labels
    return lambda x: np.zeros(len(x))
