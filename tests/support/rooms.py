"""A played language, models of it, and predictors that answer in this process: for two rooms.

Documents are words of a small vocabulary in a chain, so that an n-gram of four symbols knows the
language better than one of three, which is the trusted reference. All is drawn from fixed seeds.
"""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealed_task import Predictors
from sealed_task.expect import Expect

Floats = NDArray[np.float64]
Tokens = NDArray[np.uint8]
Load = Callable[[], Callable[[Any], Any]]
"""What opens a predictor: a fresh answerer each time, as a fresh container has one."""

LETTERS = np.frombuffer(b" .abcdefghijklmnopqrstuvwxyz", dtype=np.uint8)
"""The symbols of the language, as tokens."""
SYMBOL = np.zeros(256, dtype=np.int64)
SYMBOL[LETTERS] = np.arange(len(LETTERS))
CEILING = 16.0


def text(rng: np.random.Generator, size: int, words: list[bytes], chain: Floats) -> Tokens:
    """One document of `size` tokens."""
    parts, length, word = [], 0, int(rng.integers(len(words)))
    while length < size:
        parts.append(words[word] + (b". " if rng.random() < 0.1 else b" "))
        length += len(parts[-1])
        word = int(np.searchsorted(chain[word], rng.random() * chain[word, -1]))
    return np.frombuffer(b"".join(parts)[:size], dtype=np.uint8)


def language(windows: int, length: int, train: int = 200_000) -> tuple[Tokens, Tokens]:
    """A training text, shape (train,), and held-out windows, each a document of its own."""
    rng = np.random.default_rng(7)
    sizes = rng.integers(2, 9, 600)
    words = [rng.choice(LETTERS[2:], size, p=_zipf(26)).tobytes() for size in sizes]
    chain = np.cumsum(_zipf(600) * rng.gamma(0.3, size=(600, 600)), axis=1)
    held_out = np.stack([text(rng, length, words, chain) for _ in range(windows)])
    return text(rng, train, words, chain), held_out


def _zipf(size: int) -> Floats:
    shares = 1 / np.arange(1, size + 1)
    return np.asarray(shares / shares.sum())


class Ngram:
    """Interpolated by Witten and Bell's rule; knows the last `order` − 1 tokens."""

    def __init__(self, order: int, train: Tokens) -> None:
        self.context = order - 1
        symbols = SYMBOL[train]
        size = len(LETTERS)
        chances = np.full(size, 1 / size)
        for used in range(order):
            keys = sum(
                symbols[i : len(symbols) - used + i] * size ** (used - i) for i in range(used + 1)
            )
            counts = np.bincount(keys, minlength=size ** (used + 1)).reshape((size,) * (used + 1))
            kinds = np.maximum((counts > 0).sum(axis=-1, keepdims=True), 1)
            total = counts.sum(axis=-1, keepdims=True)
            chances = (counts + kinds * chances) / (total + kinds)
        self.nats = -np.log(chances.reshape(-1, size))
        """Shape (contexts, symbols)."""

    def losses(self, windows: Tokens) -> Floats:
        """Nats of every token, shape (n, length)."""
        symbols = SYMBOL[windows]
        padded = np.pad(symbols, ((0, 0), (self.context, 0)))
        contexts = np.zeros_like(symbols)
        for i in range(self.context):
            contexts = contexts * len(LETTERS) + padded[:, i : i + symbols.shape[1]]
        return np.minimum(self.nats[contexts, symbols], CEILING)

    def logits(self, prefixes: list[Tokens]) -> NDArray[np.float32]:
        """Logits of the token that follows each prefix, shape (n, 256)."""
        ends = np.zeros((len(prefixes), self.context), dtype=np.uint8) + LETTERS[0]
        for row, prefix in enumerate(prefixes):
            known = prefix[-self.context :]
            ends[row, self.context - len(known) :] = known
        contexts = np.zeros(len(prefixes), dtype=np.int64)
        for symbol in SYMBOL[ends].T:
            contexts = contexts * len(LETTERS) + symbol
        logits = np.full((len(prefixes), 256), -60.0, dtype=np.float32)
        logits[:, LETTERS] = -self.nats[contexts]
        return logits

    def load(self) -> Callable[[Any], Any]:
        """An honest predictor."""
        return self.answer

    def answer(self, question: Any) -> Any:
        """What an honest candidate says in either room."""
        if question["room"] == "whole":
            return self.losses(question["windows"])
        return self.logits(question["prefixes"])


class Played(Predictors):
    """Predictors in this process: each is a fresh answerer, and answers as strictly as a real one.

    `events` has each opening, question, closing and use of `rng`, in order.
    """

    def __init__(self, load: Load, baseline: Load | None = None, salt: int = 0) -> None:
        super().__init__(io.BytesIO(), io.BytesIO())
        self.events: list[str] = []
        self.asked: list[Any] = []
        """Questions, in order."""
        self._loads = {False: load, True: baseline}
        self.rng = Watched(np.random.default_rng(salt), self.events)  # type: ignore[assignment]

    def open(self, *, baseline: bool = False) -> Any:
        """A fresh predictor."""
        load = self._loads[baseline]
        assert load is not None, "nobody needs a baseline here"
        self.events.append("open baseline" if baseline else "open")
        return PlayedPredictor(self, load())


class PlayedPredictor:
    """One answerer behind the real checks."""

    def __init__(self, played: Played, answer: Callable[[Any], Any]) -> None:
        self._played = played
        self._answer = answer

    def ask(self, question: Any, expect: Expect) -> Any:
        """One question, one answer."""
        self._played.events.append(f"ask {question['room']}")
        self._played.asked.append(question)
        return expect.unpack(expect.pack(self._answer(question)))

    def __enter__(self) -> "PlayedPredictor":
        return self

    def __exit__(self, kind: Any, fault: Any, trace: Any) -> None:
        self._played.events.append("close")


class Watched:
    """A generator whose uses are noted."""

    def __init__(self, rng: np.random.Generator, events: list[str]) -> None:
        self._rng = rng
        self._events = events

    def __getattr__(self, name: str) -> Any:
        self._events.append(f"rng.{name}")
        return getattr(self._rng, name)


def believed(load: Load, windows: Tokens, batch: int = 16) -> float:
    """The control arm: a scorer that takes room A at its word. Nats a token."""
    answer = load()
    batches = [windows[start : start + batch] for start in range(0, len(windows), batch)]
    claims = [answer({"room": "whole", "windows": part}) for part in batches]
    return float(np.concatenate(claims).mean())
