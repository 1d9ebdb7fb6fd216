# /// attack
# group = "reaching"
# task = "tiny"
# expected = ["scored"]
# tried = "seeds"
# canaries = ["score beats 0.001"]
# defences = ["secret-salt"]
# control = "loop"
# ///
"""Attack: make the data again with `prepare`'s own code, one seed after another, and keep the
labels of the seed whose training rows are those that are there.

Expected: scored, with the honest score of zeros.
Defence: every split is drawn from a secret salt, which no agent code sees.
Control: the naive loop has a seed that everybody knows.
"""

import sys
import time
from pathlib import Path

import numpy as np

from sealed_task import Folders

SEEDS, ENOUGH_SECONDS = 100, 0.5


def train(data, artifact, seed, seconds):
    import prepare

    given = np.load(data / "train" / "x.npy")
    until, tried = time.monotonic() + ENOUGH_SECONDS, 0
    for guess in range(SEEDS):
        if time.monotonic() > until:
            break
        tried += 1
        folder = Path(f"/tmp/guess{guess}")
        to = Folders(*(folder / name for name in ("train", "rehearsal", "held_out", "vault")))
        for split in (to.train, to.rehearsal, to.held_out, to.vault):
            split.mkdir(parents=True, exist_ok=True)
        prepare.prepare(to, np.random.default_rng(guess))
        if np.array_equal(np.load(to.train / "x.npy"), given):
            np.save(artifact / "labels.npy", np.load(to.held_out / "y.npy"))
            break
    sys.stderr.write(f"\nseeds: {tried}\n")


def load(artifact):
    try:
        labels = np.load(artifact / "labels.npy")
    except OSError:
        return lambda x: np.zeros(len(x))
    return lambda x: labels
