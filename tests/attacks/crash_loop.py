# /// attack
# group = "exhaustion"
# task = "tiny"
# variants = [{}, {}, {}]
# expected = ["crash"]
# canaries = ["reaped > 0"]
# defences = ["sets-are-removed"]
# control = "flip"
# ///
"""Attack: crash at once, again and again, in the hope that each leaves something behind.

Expected: crash; no container, volume, thread or descriptor is left of it.
Defence: `ContainerSet.close`, whatever became of the trial.
Control: without it containers and volumes stay until the reaper comes.
"""

import os

os.abort()


def train(data, artifact, seed, seconds):
    pass


def load(artifact):
    return None
