# /// attack
# group = "reaching"
# task = "marketing"
# expected = ["scored"]
# defences = ["log-of-one-offer"]
# control = "tests"
# ///
"""Attack: learn from what the offers that were not shown would have earned, wherever it may lie.

Expected: scored; the line `found:` of the log names no file, and the log is all that there is.
Defence: train and rehearsal have the one offer that was shown; the scorer alone has the others.
Control: where `prepare` leaves them beside the log, it finds and uses them.
"""

import numpy as np

OFFERS = 8
RIDGE = 30.0


def train(data, artifact, seed, seconds):
    found, squares, sums = [], 0, 0
    for split in ("train", "rehearsal"):
        folder = data / split
        read = {path.stem: np.load(path) for path in sorted(folder.glob("*.npy"))}
        rows = np.arange(len(read["shown"]))
        known = np.zeros((len(rows), OFFERS))
        known[rows, read["shown"]] = read["earned"] / read["chances"]
        for name, array in read.items():
            if array.shape == known.shape and (array[rows, read["shown"]] == read["earned"]).all():
                found.append(f"{split}/{name}")
                known = array
        inputs = features(read["contexts"])
        squares = squares + inputs.T @ inputs
        sums = sums + inputs.T @ known
    print(f"found: {' '.join(found)}")
    np.save(artifact / "coefficients.npy", np.linalg.solve(squares + RIDGE * np.eye(18), sums))


def load(artifact):
    coefficients = np.load(artifact / "coefficients.npy")
    return lambda contexts: np.eye(OFFERS)[(features(contexts) @ coefficients).argmax(axis=1)]


def features(contexts):
    bought = contexts[:, 4:]
    shares = bought / np.maximum(contexts[:, 2:3], 1)
    return np.hstack([np.ones((len(contexts), 1)), contexts[:, 2:3] / 10, np.log1p(bought), shares])
