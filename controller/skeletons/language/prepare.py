"""A language model in two rooms: the data and the score. No agent changes this file.

`train` is `text.npy`, uint8 (bytes,). Every other split is `windows.npy`, uint8 (documents,
LENGTH), one window a document, and `reference.npy`, float64 of the same shape: nats by a trusted
n-gram.
"""

from pathlib import Path

import numpy as np

from sealed_task import Folders, Predictors, Score, two_rooms

LENGTH = 256
"""Bytes of a window."""
WINDOWS = {"rehearsal": 40, "held_out": 160, "vault": 160}
"""Documents of each split, one window from each; train gets the others."""


def prepare(to: Folders, rng: np.random.Generator) -> None:
    """Deal whole documents to the splits: no two windows are of one document."""
    texts = [np.frombuffer(text.encode("ascii", "replace"), np.uint8) for text in documents()]
    order = rng.permutation([n for n, text in enumerate(texts) if len(text) >= LENGTH])
    scored = {}
    for name, count in WINDOWS.items():
        firsts = [rng.integers(len(texts[n]) - LENGTH + 1) for n in order[:count]]
        scored[name] = np.array(
            [texts[n][at : at + LENGTH] for n, at in zip(order[:count], firsts)]
        )
        order = order[count:]
    train = np.concatenate([texts[n] for n in order])
    np.save(to.train / "text.npy", train, allow_pickle=False)
    for name, windows in scored.items():
        folder = getattr(to, name)
        np.save(folder / "windows.npy", windows, allow_pickle=False)
        np.save(folder / "reference.npy", reference(train, windows), allow_pickle=False)


def documents() -> list[str]:
    """Your texts go here, each of LENGTH letters or more, near-duplicates taken out.

    Made up for now: sentences of a small vocabulary. `tasks/text` downloads real prose.
    """
    rng = np.random.default_rng(0)
    letters = np.array(list("etaoinshrdlu"))
    words = ["".join(rng.choice(letters, rng.integers(2, 8))) for _ in range(300)]
    popular = 1 / np.arange(1, len(words) + 1)
    popular /= popular.sum()
    return [" ".join(rng.choice(words, 150, p=popular)) + "." for _ in range(1000)]


def reference(text: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """Nats of each byte of the windows, from counts of byte pairs in `text`. Better is safer."""
    pairs = np.bincount(text[:-1].astype(np.int64) << 8 | text[1:], minlength=1 << 16)
    chances = pairs.reshape(256, 256) + 0.1
    chances /= chances.sum(axis=1, keepdims=True)
    first = np.full((len(windows), 1), 1 / 256)
    return -np.log(np.hstack((first, chances[windows[:, :-1], windows[:, 1:]])))


def score(data: Path, predictors: Predictors) -> Score:
    """Bits per byte, one value a window."""
    windows = np.load(data / "windows.npy", allow_pickle=False)
    expected = np.load(data / "reference.npy", allow_pickle=False)
    return Score(two_rooms(predictors, windows, expected) / np.log(2))
