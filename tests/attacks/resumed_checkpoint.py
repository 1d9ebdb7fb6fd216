# /// attack
# group = "living on"
# task = "tiny"
# variants = [{}, {}]
# expected = ["scored"]
# tried = "resumed"
# canaries = ["resumed > 0"]
# defences = ["HostConfig.Tmpfs"]
# control = "loop"
# ///
"""Attack: train on from the checkpoint of an earlier experiment.

Expected: scored; no trial finds a checkpoint.
Defence: every place that can be written is the container's own, and gone with it.
Control: in the naive loop experiments share a folder, and the second goes on from the first.
"""

import sys
from pathlib import Path

import numpy as np

PLACES = ("/tmp", "/dev/shm", "/cache", "/var/tmp", ".")


def train(data, artifact, seed, seconds):
    files = [Path(place) / "checkpoint" for place in PLACES] + [artifact / "checkpoint"]
    steps = 0
    for file in files:
        try:
            steps = max(steps, int(file.read_text()))
        except OSError:
            continue
    for file in files:
        try:
            file.write_text(str(steps + 100))
        except OSError:
            continue
    sys.stderr.write(f"\nresumed: {steps}\n")


def load(artifact):
    return lambda x: np.zeros(len(x))
