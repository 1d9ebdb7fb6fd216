"""A small language and its n-grams, scored in two rooms; nats a token.

On the rehearsal split the scorer believes what room A claims: that is the control arm of the audit.
"""

from pathlib import Path

import numpy as np

from sealed_task import Array, Audit, Folders, Predictors, Score, two_rooms

LETTERS = np.frombuffer(b" abcdefghijklmno", dtype=np.uint8)
"""The symbols of the language; as tokens they are bytes."""
TRAIN = 60_000
"""Tokens of the training text."""
WINDOWS, LENGTH = 48, 128
AUDIT = Audit(draws=8)


def prepare(to: Folders, rng: np.random.Generator) -> None:
    """Draw the language, a text to learn from, and windows with a bigram's prices of them."""
    words = [rng.choice(LETTERS[1:], rng.integers(2, 8)).tobytes() + b" " for _ in range(60)]
    usual = 1 / np.arange(1, 61)

    def document(size: int) -> np.ndarray:
        chosen = rng.choice(60, size, p=usual / usual.sum())
        return np.frombuffer(b"".join(words[word] for word in chosen)[:size], dtype=np.uint8)

    text = document(TRAIN)
    bigram = fit(text, order=2)
    for folder in (to.train, to.rehearsal, to.held_out, to.vault):
        windows = np.stack([document(LENGTH) for _ in range(WINDOWS)])
        np.save(folder / "windows.npy", windows, allow_pickle=False)
        np.save(folder / "reference.npy", losses(bigram, windows), allow_pickle=False)
    np.save(to.train / "text.npy", text, allow_pickle=False)
    (to.rehearsal / "believed").write_text("The claims of this split are believed.\n")


def score(data: Path, predictors: Predictors) -> Score:
    """Mean loss of each window."""
    windows = np.load(data / "windows.npy", allow_pickle=False)
    if (data / "believed").exists():
        with predictors.open() as believed:
            expect = Array("f4", windows.shape, 0, AUDIT.ceiling)
            claims = believed.ask({"room": "whole", "windows": windows}, expect)
        return Score(claims.mean(axis=1))
    reference = np.load(data / "reference.npy", allow_pickle=False)
    return Score(two_rooms(predictors, windows, reference, audit=AUDIT))


# ---- n-grams, for `train.py` too -----------------------------------------------------------------


def fit(text: np.ndarray, order: int) -> np.ndarray:
    """Nats of each symbol after each context: shape (symbols,) * order."""
    symbols = np.searchsorted(LETTERS, text)
    counts = np.full((len(LETTERS),) * order, 0.1)
    np.add.at(counts, tuple(symbols[i : len(symbols) - order + i + 1] for i in range(order)), 1)
    return -np.log(counts / counts.sum(axis=-1, keepdims=True))


def losses(nats: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """Nats of every token, shape (n, length); spaces stand before a window."""
    context = nats.ndim - 1
    symbols = np.pad(np.searchsorted(LETTERS, windows), ((0, 0), (context, 0)))
    return nats[tuple(symbols[:, i : i + windows.shape[1]] for i in range(nats.ndim))]


def logits(nats: np.ndarray, prefixes: list) -> np.ndarray:
    """Logits of the token that follows each prefix, shape (n, 256)."""
    answer = np.full((len(prefixes), 256), -60.0)
    for row, prefix in enumerate(prefixes):
        known = np.append(np.full(nats.ndim - 1, LETTERS[0]), prefix)[-(nats.ndim - 1) :]
        answer[row, LETTERS] = -nats[tuple(np.searchsorted(LETTERS, known))]
    return answer
