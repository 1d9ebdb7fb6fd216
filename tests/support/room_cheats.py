"""Predictors that cheat in the two rooms, over an honest model; see `tests/support/rooms.py`.

An instance is one predictor: what it learns in one room it does not know in the other.
"""

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.support.rooms import CEILING, LETTERS, SYMBOL, Floats, Ngram, Tokens


class Cheat:
    """Honest in room B; what it claims in room A is for the subclass to say."""

    def __init__(self, model: Ngram) -> None:
        self.model = model

    def __call__(self, question: Any) -> Any:
        """The answer to one question."""
        if question["room"] == "whole":
            return np.clip(self.claim(question["windows"]), 0, CEILING)
        return self.blind(question["prefixes"])

    def claim(self, windows: Tokens) -> Floats:
        """Nats, shape (n, length)."""
        return self.model.losses(windows)

    def blind(self, prefixes: list[Tokens]) -> NDArray[np.float32]:
        """Logits, shape (n, 256)."""
        return self.model.logits(prefixes)


class Copier(Cheat):
    """Sees the next token, and claims to have foreseen it, at a share of positions."""

    def __init__(self, share: float, model: Ngram) -> None:
        super().__init__(model)
        self.share = share
        self.rng = np.random.default_rng(5)

    def claim(self, windows: Tokens) -> Floats:
        copied = self.rng.random(windows.shape) < self.share
        return np.where(copied, 0.01, super().claim(windows))


class Lottery(Cheat):
    """Claims nothing for the tokens that cost it most, as many as fake a gain."""

    def __init__(self, gain: float, model: Ngram) -> None:
        super().__init__(model)
        self.gain = gain

    def claim(self, windows: Tokens) -> Floats:
        losses = super().claim(windows)
        return losses - self.chosen(losses, losses)

    def chosen(self, undercut: Floats, order: Floats) -> Floats:
        """The undercut of the first positions by `order`, and 0 of the others, nats."""
        first = np.argsort(-order, axis=None)
        total = np.cumsum(undercut.ravel()[first])
        count = int(np.searchsorted(total, self.gain * undercut.size)) + 1
        chosen = np.zeros(undercut.size)
        chosen[first[:count]] = undercut.ravel()[first[:count]]
        return chosen.reshape(undercut.shape)


class KnowingLottery(Lottery):
    """Knows the reference: claims its price where that is much less, and undercuts nothing."""

    def __init__(self, gain: float, reference: Ngram, model: Ngram) -> None:
        super().__init__(gain, model)
        self.reference = reference

    def claim(self, windows: Tokens) -> Floats:
        losses = self.model.losses(windows)
        excess = np.maximum(losses - self.reference.losses(windows), 0)
        return losses - self.chosen(excess, excess)


class Fleeing(Lottery):
    """The lottery, but in room B it crashes when a longer prefix shows that it was caught."""

    def __init__(self, gain: float, model: Ngram) -> None:
        super().__init__(gain, model)
        self.answered: list[bytes] = []

    def blind(self, prefixes: list[Tokens]) -> NDArray[np.float32]:
        for prefix in prefixes:
            losses = self.model.losses(prefix[None])[0]
            for earlier in self.answered:
                if prefix.tobytes().startswith(earlier) and losses[len(earlier)] > 6:
                    raise ConnectionError("the predictor ends itself")
        self.answered += [prefix.tobytes() for prefix in prefixes if len(prefix) > 20]
        return super().blind(prefixes)


class Spread(Cheat):
    """Claims a little less, or more, for every token."""

    def __init__(self, nats: float, model: Ngram) -> None:
        super().__init__(model)
        self.nats = nats

    def claim(self, windows: Tokens) -> Floats:
        return super().claim(windows) + self.nats


class Overclaimer(Cheat):
    """Claims too much at few positions, for a draw there would be worth twice that many nats."""

    def claim(self, windows: Tokens) -> Floats:
        losses = super().claim(windows)
        losses[:, ::50] += 6
        return losses


class Learner(Cheat):
    """Counts the tokens of all its questions, and mixes in what followed the same context."""

    def __init__(self, model: Ngram) -> None:
        super().__init__(model)
        size = len(LETTERS)
        self.counts = np.zeros((size**3, size))

    def claim(self, windows: Tokens) -> Floats:
        losses = super().claim(windows)
        contexts, followers = zip(*(self.count(window) for window in windows), strict=True)
        counts = self.counts[np.array(contexts)]
        chances = np.exp(-losses[:, 3:])
        losses[:, 3:] = mixed(
            chances,
            np.take_along_axis(counts, np.array(followers)[..., None], axis=2)[..., 0],
            counts.sum(axis=2),
        )
        return losses

    def blind(self, prefixes: list[Tokens]) -> NDArray[np.float32]:
        logits = super().blind(prefixes)
        for row, prefix in enumerate(prefixes):
            self.count(prefix)
            if len(prefix) >= 3:
                counts = self.counts[trigrams(SYMBOL[prefix[-3:]])[0]]
                logits[row, LETTERS] = -mixed(np.exp(logits[row, LETTERS]), counts, counts.sum())
        return logits

    def count(self, tokens: Tokens) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Learn what follows each three tokens; both as numbers, shape (length − 3,)."""
        symbols = SYMBOL[tokens]
        contexts, followers = trigrams(symbols)[:-1], symbols[3:]
        np.add.at(self.counts, (contexts, followers), 1)
        return contexts, followers


def trigrams(symbols: NDArray[np.int64]) -> NDArray[np.int64]:
    """Each three neighbours as one number, shape (length − 2,)."""
    size = len(LETTERS)
    numbers: NDArray[np.int64] = symbols[:-2] * size**2 + symbols[1:-1] * size + symbols[2:]
    return numbers


def mixed(chances: Any, counts: Any, totals: Any) -> Any:
    """Nats of a model's chances, mixed with counts as if they were worth five."""
    return -np.log((counts + 5 * chances) / (totals + 5))


class Recogniser(Cheat):
    """Claims half of everything, and knows room B by its questions."""

    def __init__(self, act: Callable[[int], NDArray[np.float32]], model: Ngram) -> None:
        super().__init__(model)
        self.act = act

    def claim(self, windows: Tokens) -> Floats:
        return super().claim(windows) / 2

    def blind(self, prefixes: list[Tokens]) -> NDArray[np.float32]:
        return self.act(len(prefixes))


class Noisy(Cheat):
    """Honest, but it does not compute quite the same in both rooms."""

    def __init__(self, nats: float, model: Ngram) -> None:
        super().__init__(model)
        self.nats = nats

    def claim(self, windows: Tokens) -> Floats:
        rng = np.random.default_rng(zlib.crc32(windows.tobytes()))
        return super().claim(windows) + rng.normal(0, self.nats, windows.shape)
