"""English prose from Django's documentation: the data and the score. No agent changes this file.

`train` is two files: `text.npy`, uint8 of shape (bytes,), all its documents one after the other,
and `starts.npy`, int64 of shape (documents + 1,), where each begins and the last one ends. Every
other split is `windows.npy`, uint8 of shape (documents, LENGTH), a window of each of its documents,
and `reference.npy`, float64 of the same shape: nats that a trusted n-gram model asks for each byte.
"""

import io
import re
import tarfile
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from sealed_task import Folders, Predictors, Score, package_file, two_rooms

LENGTH = 512
"""Bytes of a window."""
SHARES = {"rehearsal": 0.08, "held_out": 0.41, "vault": 0.36}
"""Of the documents that are long enough for a window; train gets the others, and all short ones."""

FILE = "Django-5.2.tar.gz"
SHA256 = "1a47f7a7a3d43ce64570d350e008d2949abe8c7e21737b351b6a1611277c6d89"
MOST_BYTES = 64 * 1024 * 1024
"""The largest document that is read."""

SHINGLE = 6
"""Words of a shingle, by which repeated passages are found."""
ORDER = 6
"""Bytes that the longest n-gram of the reference has."""


def prepare(to: Folders, rng: np.random.Generator) -> None:
    """Download, clean, take out what repeats, and deal documents to splits as `rng` says."""
    documents = [text.encode("ascii") for text in without_repeats(map(prose, read(download())))]
    train, scored = deal(documents, rng)
    text = np.frombuffer(b"".join(train), dtype=np.uint8)
    starts = np.cumsum([0, *map(len, train)], dtype=np.int64)
    np.save(to.train / "text.npy", text, allow_pickle=False)
    np.save(to.train / "starts.npy", starts, allow_pickle=False)
    for name, windows in scored.items():
        folder = getattr(to, name)
        np.save(folder / "windows.npy", windows, allow_pickle=False)
        np.save(folder / "reference.npy", reference(text, windows), allow_pickle=False)


# ---- what the documents are -------------------------------------------------------------------


def download() -> bytes:
    """Django's source archive from PyPI or a mirror of it."""
    return package_file("django", FILE, SHA256)


def read(archive: bytes) -> Iterable[str]:
    """The documentation's files as they are, by name. Nothing is extracted to disk."""
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        members = [m for m in tar if m.isfile() and re.fullmatch(r"[^/]+/docs/.+\.txt", m.name)]
        for member in sorted(members, key=lambda member: member.name):
            file = tar.extractfile(member)
            assert file is not None
            yield file.read(MOST_BYTES).decode("utf-8", "replace")


def prose(source: str) -> str:
    """The sentences of a reStructuredText file: a paragraph a line, ASCII, no code, no markup."""
    lines = []
    for paragraph in re.split(r"\n\s*\n", source):
        words = re.sub(r"^\s*(?:[*-]|\d+\.)\s", "", paragraph).split()
        text = " ".join(words)
        text = re.sub(r":[\w:+.-]+:`~?([^`]*)`", r"`\1`", text)  # a role
        text = re.sub(r"`([^`<]*?)\s*<[^`>]*>`(?:__?)?", r"\1", text)  # a link and its target
        text = re.sub(r"[`|]|(?<!\w)\*+|\*+(?!\w)|(?<=[\w`])__?(?!\w)", "", text)
        text = text.translate(TYPOGRAPHY).encode("ascii", "ignore").decode()
        sentence = re.fullmatch(r"[A-Z\"'].*[.:!?)]", text) and ".. " not in text
        letters = sum(letter.isalpha() or letter == " " for letter in text)
        if len(words) >= 8 and sentence and letters > 0.88 * len(text):
            lines.append(text + "\n")
    return "".join(lines)


TYPOGRAPHY = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "..."})


def without_repeats(documents: Iterable[str]) -> list[str]:
    """The documents less every paragraph half of which stands in an earlier one already.

    Release notes tell the same story for each series that a mend went into, so whole documents are
    alike, and others share a paragraph. A model that has seen one would know the other by heart.
    A paragraph is compared by its shingles: each run of `SHINGLE` words, whatever their case.
    """
    seen: set[int] = set()
    kept = []
    for document in documents:
        lines, fresh = [], set[int]()
        for line in document.splitlines(keepends=True):
            words = re.findall(r"[a-z]+", line.lower())
            shingles = {
                zlib.crc32(" ".join(words[first : first + SHINGLE]).encode())
                for first in range(max(1, len(words) - SHINGLE + 1))
            }
            if 2 * len(shingles & seen) < len(shingles) and not shingles <= fresh:
                lines.append(line)
                fresh |= shingles
        kept.append("".join(lines))
        seen |= fresh
    return [document for document in kept if document]


def deal(
    documents: list[bytes], rng: np.random.Generator
) -> tuple[list[bytes], dict[str, np.ndarray]]:
    """The documents of train, and each other split's windows, uint8 (documents, LENGTH).

    A document is in one split. It gives one window, from a random place: neighbours in one text
    are alike, so a second would tell little, and windows that are asked of one predictor must not
    help each other. The rest of it is used for nothing, so train draws long documents more often.
    """
    train = [document for document in documents if len(document) < LENGTH]
    long = [document for document in documents if len(document) >= LENGTH]
    lengths = np.array([len(document) for document in long])
    counts = {name: round(share * len(long)) for name, share in SHARES.items()}
    chosen = rng.choice(
        len(long), len(long) - sum(counts.values()), replace=False, p=lengths / lengths.sum()
    )
    train += [long[number] for number in chosen]
    others = rng.permutation(np.setdiff1d(np.arange(len(long)), chosen))
    scored = {}
    for name, count in counts.items():
        windows = []
        for number in others[:count]:
            first = rng.integers(lengths[number] - LENGTH + 1)
            windows.append(np.frombuffer(long[number], np.uint8)[first : first + LENGTH])
        scored[name] = np.array(windows)
        others = others[count:]
    return [train[number] for number in rng.permutation(len(train))], scored


# ---- what a byte should cost ------------------------------------------------------------------


def reference(text: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """Nats of each byte of the windows by n-grams of `text`, float64 of the windows' shape.

    Witten and Bell's interpolation ("The zero-frequency problem", 1991): what follows a context is
    as its counts say, and as the next shorter context says with the weight of one count for each
    different byte that has followed. The first bytes of a window have what context there is.
    """
    chances = np.full(windows.shape, 1 / 256)
    for order in range(1, ORDER + 1):
        # A number for each n-gram: its bytes as digits. Leaving out the last one gives the context.
        grams, counts = np.unique(numbers(text, order), return_counts=True)
        contexts, first, followers = np.unique(grams >> 8, return_index=True, return_counts=True)
        totals = np.add.reduceat(counts, first)
        asked = numbers(windows, order)
        count = looked_up(grams, counts, asked)
        total = looked_up(contexts, totals, asked >> 8)
        different = looked_up(contexts, followers, asked >> 8)
        shorter = chances[:, order - 1 :]
        known = total > 0
        shorter[known] = ((count + different * shorter) / np.maximum(total + different, 1))[known]
    return -np.log(chances)


def numbers(text: np.ndarray, order: int) -> np.ndarray:
    """Each n-gram along the last axis as one int64; there are order - 1 fewer than bytes."""
    last = text.shape[-1] - order + 1
    return sum(
        text[..., place : place + last].astype(np.int64) << 8 * (order - 1 - place)
        for place in range(order)
    )


def looked_up(keys: np.ndarray, values: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """The value of each asked key, 0 where there is none; keys are sorted."""
    places = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
    return np.where(keys[places] == asked, values[places], 0)


# ---- the score --------------------------------------------------------------------------------


def score(data: Path, predictors: Predictors) -> Score:
    """Bits per byte, one value a window."""
    windows = np.load(data / "windows.npy", allow_pickle=False)
    expected = np.load(data / "reference.npy", allow_pickle=False)
    return Score(two_rooms(predictors, windows, expected) / np.log(2))
