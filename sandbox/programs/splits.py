"""Looks which examples of one split lie in another one too, in a container that runs no agent code.

A file's examples are the rows of an array, or the lines and texts of a text; of anything else,
pieces at even distances. An example counts as being in a split if all its pieces are somewhere in
the bytes of that split's files, at whatever place and in whichever file. How often the examples
of train repeat among themselves is counted in the same way: rows that are alike by nature are so
everywhere. Hashes of 64 bits stand for the pieces, and nothing of the data is answered but
`canaries`: a few examples, each in the ways in which a package might have written it, for the
sandbox to look for in the agent image.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

PUBLIC, SEALED = Path("/data/public"), Path("/data/sealed")
WIDTHS = (16, 32)
"""Bytes of a piece: the larger one unless an example is shorter."""
TEXT_BYTES = 24
"""A shorter text says too little."""
DIFFERENT = 6
"""An example of fewer different bytes says too little: ids, empty pictures."""
SORTED_BYTES = 4
"""Whole numbers of so many bytes and in order are ids or places, not examples."""
UNITS = 4000
"""Examples of a file that are looked for, at even distances."""
FILES = 16
"""A split with more files is counted by their endings."""
MOST_BYTES = 512 << 20
"""Of a split that are looked through."""
CHUNK = 1 << 20
FACTOR = np.uint64(0x9E3779B97F4A7C15)
TABLE_BITS = 20
CANARIES = 16
CANARY_BYTES = 64

Counts = dict[int, np.ndarray]


@dataclass(frozen=True)
class Example:
    """Where an example is told apart: its bytes, and its numbers if it has some."""

    data: bytes
    numbers: np.ndarray | None = None


@dataclass(frozen=True)
class Cut:
    """Pieces of one width: of which example each is, and its hash; shapes (pieces,)."""

    owners: np.ndarray
    hashes: np.ndarray


def main() -> None:
    """Answer one request."""
    sys.path.append("/opt/sealed/lib")
    from sealed_runner.startup import open_protocol
    from sealed_task import frames, values

    requests, replies = open_protocol()
    frames.write(replies, frames.Kind.READY)
    frames.read(requests)
    folders = {
        "train": PUBLIC / "train", "rehearsal": PUBLIC / "rehearsal",
        "held_out": SEALED / "held_out", "vault": SEALED / "vault",
    }  # fmt: skip
    frames.write(replies, frames.Kind.PREPARED, values.encode(report(folders)))


def report(folders: dict[str, Path]) -> dict[str, Any]:
    """A row for each file of each split, and canaries; see `survey.Report`."""
    examples = {split: grouped(folder) for split, folder in folders.items()}
    cuts = {
        (split, name): cut(group)
        for split, groups in examples.items()
        for name, group in groups.items()
    }
    known = {
        width: np.unique(
            np.concatenate([np.zeros(0, np.uint64), *(one[width].hashes for one in cuts.values())])
        )
        for width in WIDTHS
    }
    seen = {split: counts(folders[split], known) for split in ("train", "rehearsal", "held_out")}
    public = {width: seen["train"][width] + seen["rehearsal"][width] for width in WIDTHS}

    def shared(split: str, name: str, where: Counts, least: int = 1) -> int:
        there = np.ones(len(examples[split][name]), np.bool_)
        for width, one in cuts[split, name].items():
            often = where[width][np.searchsorted(known[width], one.hashes)]
            there[one.owners[often < least]] = False
        return int(there.sum())

    where = {"train": (seen["train"], 2), "rehearsal": (seen["train"], 1)}
    rows = [
        {
            "split": split,
            "file": name,
            "examples": len(group),
            "public": shared(split, name, *where.get(split, (public, 1))),
            "held_out": shared(split, name, seen["held_out"]) if split == "vault" else 0,
        }
        for split, groups in examples.items()
        for name, group in groups.items()
    ]
    return {
        "rows": rows,
        "partial": any(size(folder) > MOST_BYTES for folder in folders.values()),
        "canaries": canaries(examples["held_out"]),
    }


# ---- what an example is -----------------------------------------------------------------------


def files(folder: Path) -> list[Path]:
    """Every regular file below, in a fixed order."""
    return sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink())


def size(folder: Path) -> int:
    """Bytes of all files below."""
    return sum(path.stat().st_size for path in files(folder))


def grouped(folder: Path) -> dict[str, list[Example]]:
    """Examples by file, or by the files' ending where there are many; no more than `UNITS` each."""
    paths = files(folder)
    groups: dict[str, list[Example]] = {}
    for path in paths:
        name = str(path.relative_to(folder)) if len(paths) <= FILES else f"*{path.suffix}"
        groups.setdefault(name, []).extend(examples_of(path))
    return {name: evenly(group, UNITS) for name, group in groups.items() if group}


def evenly(items: list[Any], most: int) -> list[Any]:
    """No more than so many, at even distances."""
    return items if len(items) <= most else [items[n * len(items) // most] for n in range(most)]


def examples_of(path: Path) -> list[Example]:
    """What can be told apart in a file."""
    array = array_of(path)
    if array is not None:
        return [e for e in rows_of(array) if telling(e.data)]
    with path.open("rb") as file:
        data = file.read(MOST_BYTES)
    if data.startswith(b"\x93NUMPY"):  # one number, or no numbers
        return []
    try:
        data.decode()
    except UnicodeDecodeError:
        text = False
    else:
        text = b"\0" not in data
    if not text:
        places = np.linspace(0, len(data) - WIDTHS[-1], min(UNITS, len(data) // WIDTHS[-1]))
        pieces = (data[int(n) : int(n) + WIDTHS[-1]] for n in places)
        return [Example(piece) for piece in pieces if telling(piece)]
    parts = (part.strip() for part in re.split(rb'[\r\n{}\[\]"]', data))
    return [Example(part) for part in parts if len(part) >= TEXT_BYTES and telling(part)]


def array_of(path: Path) -> np.ndarray | None:
    """The array of a file of numpy's, if it is one with rows."""
    if path.suffix != ".npy":
        return None
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError:
        return None
    return array if array.ndim and array.size and array.dtype.names is None else None


def rows_of(array: np.ndarray) -> Iterator[Example]:
    """Rows of 16 bytes or more; a series of numbers in pieces, unless they are in order."""
    rows = array.reshape(len(array), -1)
    if array.ndim == 1:
        whole = array.dtype.kind in "iu" and array.dtype.itemsize >= SORTED_BYTES
        width = max(1, WIDTHS[-1] // array.dtype.itemsize)
        if array.dtype.kind not in "iufb" or (whole and bool((np.diff(array) >= 0).all())):
            return
        rows = array[: len(array) // width * width].reshape(-1, width)
    if rows.shape[1] * rows.dtype.itemsize < WIDTHS[0]:
        return
    numeric = array.ndim > 1 and array.dtype.kind in "iuf"
    for place in evenly(list(range(len(rows))), UNITS):
        row = np.ascontiguousarray(rows[place])
        yield Example(row.tobytes(), row if numeric else None)


def telling(data: bytes) -> bool:
    """Whether it is no such thing as a row of zeros."""
    return len(set(data)) >= DIFFERENT


# ---- finding them -----------------------------------------------------------------------------


def cut(examples: list[Example]) -> dict[int, Cut]:
    """By width, the pieces by which each is known: first, middle, last, if they tell something."""
    pieces: dict[int, list[bytes]] = {width: [] for width in WIDTHS}
    owners: dict[int, list[int]] = {width: [] for width in WIDTHS}
    for number, example in enumerate(examples):
        data = example.data
        width = max((width for width in WIDTHS if width <= len(data)), default=len(data))
        own = [data[n : n + width] for n in {0, (len(data) - width) // 2, len(data) - width}]
        best = max(len(set(piece)) for piece in own)
        own = [piece for piece in own if 2 * len(set(piece)) >= best]
        pieces[width] += own
        owners[width] += [number] * len(own)
    return {
        width: Cut(np.array(owners[width], np.int64), hashed(pieces[width], width))
        for width in WIDTHS
    }


def hashed(pieces: list[bytes], width: int) -> np.ndarray:
    """uint64, one for each piece: what `rolling` gives where it lies."""
    data = np.frombuffer(b"".join(pieces), np.uint8).reshape(-1, width).astype(np.uint64)
    return _mixed(((data + np.uint64(1)) * _powers(width)).sum(axis=1, dtype=np.uint64))


def _powers(width: int) -> np.ndarray:
    ones = np.ones(width, np.uint64)
    with np.errstate(over="ignore"):
        for place in range(width - 2, -1, -1):
            ones[place] = ones[place + 1] * FACTOR
    return ones


def _mixed(values: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        mixed: np.ndarray = (values ^ (values >> np.uint64(29))) * FACTOR
    return mixed


def rolling(data: np.ndarray, widths: tuple[int, ...] = WIDTHS) -> Counts:
    """By width, which is a power of two: the hash of the piece that begins at each place."""
    found, width, factor = {}, 1, FACTOR
    values = data.astype(np.uint64) + np.uint64(1)
    with np.errstate(over="ignore"):
        while width < max(widths):
            if len(values) <= width:
                break
            values = values[:-width] * factor + values[width:]
            factor *= factor
            width *= 2
            if width in widths:
                found[width] = _mixed(values)
    return found | {w: np.zeros(0, np.uint64) for w in widths if w not in found}


def counts(folder: Path, pieces: Counts) -> Counts:
    """How often each piece is in the files of a folder: int64 arrays of the pieces' shapes."""
    found = {width: np.zeros(len(own), np.int64) for width, own in pieces.items()}
    shift = np.uint64(64 - TABLE_BITS)
    tables = {width: np.zeros(1 << TABLE_BITS, np.bool_) for width in pieces}
    for width, own in pieces.items():
        tables[width][own >> shift] = True
    for data, known in chunks(folder):
        for width, every in rolling(data).items():
            # What lies wholly in the end of the chunk before was counted there.
            values = every[max(0, known - width + 1) :]
            likely = values[tables[width][values >> shift]]
            own = pieces[width]
            if len(own) and len(likely):
                places = np.minimum(np.searchsorted(own, likely), len(own) - 1)
                np.add.at(found[width], places[own[places] == likely], 1)
    return found


def chunks(folder: Path) -> Iterator[tuple[np.ndarray, int]]:
    """The bytes of all files, and how many of a chunk are of the one before; arrays row by row."""
    left = MOST_BYTES
    for path in files(folder):
        array = array_of(path)
        data: Any = np.memmap(path, np.uint8, "r") if path.stat().st_size else np.zeros(0, np.uint8)
        if array is not None:
            data = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        data = data[:left]
        left -= len(data)
        before = np.zeros(0, np.uint8)
        for first in range(0, len(data), CHUNK):
            chunk = np.concatenate([before, data[first : first + CHUNK]])
            yield chunk, len(before)
            before = chunk[-(WIDTHS[-1] - 1) :]


# ---- canaries ---------------------------------------------------------------------------------


def canaries(groups: dict[str, list[Example]]) -> list[list[str]]:
    """Of some examples of the file with the most, each way of writing it: hexadecimal."""
    if not groups:
        return []
    group = max(groups.values(), key=lambda group: (group[0].numbers is not None, len(group)))
    return [[text.hex() for text in written(example)] for example in evenly(group, CANARIES)]


def written(example: Example) -> list[bytes]:
    """The example's bytes, and its numbers in other types and as text."""
    if example.numbers is None:
        return [example.data[:CANARY_BYTES]]
    numbers = example.numbers
    most = CANARY_BYTES // numbers.dtype.itemsize
    starts = range(0, max(1, len(numbers) - most + 1), max(1, most // 2))
    first = max(starts, key=lambda start: len(np.unique(numbers[start : start + most])))
    numbers = numbers[first : first + most]
    found = [numbers.tobytes()]
    if len(np.unique(numbers)) < min(4, most):
        return found
    whole = bool((numbers == np.round(numbers)).all())
    kinds = ("<f4", "<f8", *(("u1", "<i4", "<i8") if whole else ()))
    with np.errstate(all="ignore"):
        casts = [numbers.astype(kind) for kind in kinds]
    found += [cast.tobytes() for cast in casts if bool((cast == numbers).all())]
    words = [f"{int(number)}" if whole else str(number) for number in numbers]
    found += [gap.join(words).encode() for gap in (",", ", ", " ", "\t")]
    if whole:
        found += [gap.join(f"{word}.0" for word in words).encode() for gap in (",", ", ")]
    return list(dict.fromkeys(found))


if __name__ == "__main__":
    main()
