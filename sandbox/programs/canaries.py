"""Looks for texts in the image that it runs in, packed files included.

The request is a JSON list of lists of texts in hexadecimal. The answer has, for each list, the
paths of up to three files with one of its texts; and how many files could not be read to the end.
"""

import bz2
import gzip
import json
import lzma
import os
import runpy
import sys
import zipfile
from collections.abc import Iterator
from typing import Any

CHUNK = 4 << 20
MOST_PACKED = 256 << 20
"""Of a packed file, unpacked."""
PATHS = 3
NOT_OF_THE_IMAGE = ("/proc", "/sys", "/dev", "/tmp", "/cache")
_MOST_BYTES = 1 << 20


def search(root: str, texts: list[list[bytes]]) -> tuple[list[list[str]], int]:
    """For each list of texts the files below `root` that have one of them; and the unread files."""
    found: list[list[str]] = [[] for _ in texts]
    unread = 0
    longest = max((len(text) for group in texts for text in group), default=1)
    for path in walk(root):
        try:
            open_now = [n for n, paths in enumerate(found) if len(paths) < PATHS]
            for number in having(path, open_now, texts, longest):
                found[number].append(path)
        except (OSError, EOFError, ValueError, lzma.LZMAError, zipfile.BadZipFile, RuntimeError):
            unread += 1
    return found, unread


def having(path: str, numbers: list[int], texts: list[list[bytes]], longest: int) -> Iterator[int]:
    """Which of the lists have a text in this file, as they are met."""
    left_over = set(numbers)
    for stream, most in streams(path):
        with stream:
            before = b""
            left = most
            while left > 0 and (chunk := stream.read(min(CHUNK, left))):
                left -= len(chunk)
                data = before + chunk
                met = {n for n in left_over if any(text in data for text in texts[n])}
                left_over -= met
                yield from met
                before = data[-(longest - 1) :] if longest > 1 else b""


def streams(path: str) -> Iterator[tuple[Any, int]]:
    """The file's streams of bytes, unpacked where it is packed, and how much of each is read.

    What can't be read is raised after the rest. Libraries of machine code are left out.
    """
    with open(path, "rb") as file:
        head = file.read(6)
    if head[:4] == b"\x7fELF":
        return
    if head[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if not member.flag_bits & 1:
                    yield archive.open(member), MOST_PACKED
            if any(member.flag_bits & 1 for member in archive.infolist()):
                raise ValueError("some of it needs a password")
    elif head[:2] == b"\x1f\x8b":
        yield gzip.open(path), MOST_PACKED
    elif head[:3] == b"BZh":
        yield bz2.open(path), MOST_PACKED
    elif head == b"\xfd7zXZ\0":
        yield lzma.open(path), MOST_PACKED
    else:
        yield open(path, "rb"), sys.maxsize


def walk(root: str) -> Iterator[str]:
    """Every regular file, by name."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(
            name for name in folders if os.path.join(folder, name) not in NOT_OF_THE_IMAGE
        )
        for name in sorted(names):
            path = os.path.join(folder, name)
            if os.path.isfile(path) and not os.path.islink(path):
                yield path


def main() -> None:
    """Answer one request."""
    frames = runpy.run_path("/opt/sealed/lib/sealed_task/frames.py")
    replies = sys.stdout.buffer
    frames["write"](replies, frames["Kind"].READY)
    _, request, _ = frames["read"](sys.stdin.buffer, _MOST_BYTES)
    texts = [[bytes.fromhex(text) for text in group] for group in json.loads(request)]
    found, unread = search("/", texts)
    answer = json.dumps({"found": found, "unread": unread}).encode()
    frames["write"](replies, frames["Kind"].DONE, answer)


if __name__ == "__main__":
    main()
