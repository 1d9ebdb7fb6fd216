"""Edit distances by Myers' bits: a step a letter, where the table has a step a cell.

A column of the table is kept as its differences from cell to cell, which are 1, 0 or -1: two sets
of bits. Myers (1999) found how one column's bits become the next one's by a few operations on whole
words; here in the form of Hyyrö (2003). Pairs with a text of at most 64 letters are answered side
by side, a word of numpy each; longer ones one by one, with Python's integers for words.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

WORD = 64
"""Bits of numpy's longest integers."""
CODES = 128
"""Texts are ASCII."""


def train(data: Path, artifact: Path, seed: int, seconds: float) -> None:
    """Nothing is learned."""


def load(artifact: Path) -> Callable[[list[list[str]]], np.ndarray]:
    """A function from pairs of texts to their edit distances, int32 (pairs,)."""
    return distances


def distances(pairs: list[list[str]]) -> np.ndarray:
    """Distances of all pairs, int32 (pairs,)."""
    found = np.empty(len(pairs), dtype=np.int32)
    short: list[int] = []
    for number, pair in enumerate(pairs):
        if min(len(pair[0]), len(pair[1])) <= WORD:
            short.append(number)
        else:
            found[number] = distance(*pair)
    if short:
        found[short] = side_by_side([sorted(pairs[number], key=len) for number in short])
    return found


def distance(pattern: str, text: str) -> int:
    """One pair of any lengths."""
    places = dict.fromkeys(text, 0)
    bit = 1
    for letter in pattern:
        places[letter] = places.get(letter, 0) | bit
        bit <<= 1
    full = bit - 1
    more, less = full, 0
    for letter in text:
        equal = places[letter]
        zero = (((equal & more) + more) ^ more) | equal | less
        right = ((less | (full ^ (full & (zero | more)))) << 1) | 1
        less_right = (zero & more) << 1
        more = full & (less_right | ~(zero | right))
        less = full & right & zero
    return len(text) + more.bit_count() - less.bit_count()


def side_by_side(pairs: list[list[str]]) -> np.ndarray:
    """Pairs of a short text and a longer one, int64 (pairs,).

    They are sorted by the longer text's length, so that those which are not at their end are
    the first ones at every step.
    """
    lengths = np.array([[len(short), len(long)] for short, long in pairs])
    order = np.argsort(-lengths[:, 1], kind="stable")
    lengths = lengths[order]
    patterns = codes([pairs[number][0] for number in order], lengths[:, 0])
    texts = codes([pairs[number][1] for number in order], lengths[:, 1])
    rows = np.arange(len(pairs))
    places = np.zeros((len(pairs), CODES), dtype=np.uint64)
    for column, letters in enumerate(patterns.T):
        places[rows, letters] |= np.uint64(1 << column)

    more = np.full(len(pairs), 2**WORD - 1, dtype=np.uint64)
    less = np.zeros(len(pairs), dtype=np.uint64)
    one = np.uint64(1)
    ends = np.searchsorted(-lengths[:, 1], -np.arange(texts.shape[1]))
    for active, letters in zip(ends, texts.T, strict=True):
        plus, minus = more[:active], less[:active]
        equal = places[rows[:active], letters[:active]]
        zero = (((equal & plus) + plus) ^ plus) | equal | minus
        right = ((minus | ~(zero | plus)) << one) | one
        more[:active] = ((zero & plus) << one) | ~(zero | right)
        less[:active] = right & zero

    found = np.empty(len(pairs), dtype=np.int64)
    found[order] = lengths[:, 1] + ones(more, lengths[:, 0]) - ones(less, lengths[:, 0])
    return found


def codes(texts: list[str], lengths: np.ndarray) -> np.ndarray:
    """ASCII codes, uint8 (texts, longest), with zeros behind each text."""
    filled = np.arange(lengths.max(initial=0)) < lengths[:, None]
    letters = np.zeros(filled.shape, dtype=np.uint8)
    letters[filled] = np.frombuffer("".join(texts).encode("ascii"), dtype=np.uint8)
    return letters


def ones(words: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """How many of the lowest `widths` bits of each word are set, int64 (words,)."""
    bits = np.unpackbits(words.view(np.uint8).reshape(-1, 8), axis=1, bitorder="little")
    return (bits * (np.arange(WORD) < widths[:, None])).sum(axis=1)
