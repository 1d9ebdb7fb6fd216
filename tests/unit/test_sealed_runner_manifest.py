"""What is noticed of changes to prepared data."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sealed_runner import manifest


@pytest.fixture
def roots(tmp_path: Path) -> dict[str, Path]:
    """Two small volumes."""
    for name in ("public/train/x", "public/rehearsal/x", "sealed/vault/x"):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_bytes(name.encode())
    return {"public": tmp_path / "public", "sealed": tmp_path / "sealed"}


def test_the_manifest_has_name_size_and_hash_of_every_file(roots: dict[str, Path]) -> None:
    """Files of all roots are there in a fixed order, under names that begin with the root's."""
    rows = manifest.full(dict(reversed(roots.items())))
    assert [name for name, _, _ in rows] == [
        "public/rehearsal/x",
        "public/train/x",
        "sealed/vault/x",
    ]
    content = b"sealed/vault/x"
    assert rows[2][1:] == (len(content), hashlib.sha256(content).hexdigest())


def test_the_manifest_sees_a_changed_byte_that_keeps_size_and_time(roots: dict[str, Path]) -> None:
    """The full check reads the content; the quick one is not told of this change."""
    path = roots["sealed"] / "vault" / "x"
    before, quick, state = manifest.full(roots), manifest.quick_digest(roots), path.stat()
    path.write_bytes(path.read_bytes().swapcase())
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert manifest.full(roots) != before
    assert manifest.quick_digest(roots) == quick


def grow(folder: Path) -> None:
    with (folder / "x").open("ab") as file:
        file.write(b"!")
    os.utime(folder / "x", ns=(0, 0))


def touch(folder: Path) -> None:
    os.utime(folder / "x", ns=(1, 1))


def add(folder: Path) -> None:
    (folder / "y").touch()


def remove(folder: Path) -> None:
    (folder / "x").unlink()


def rename(folder: Path) -> None:
    (folder / "x").rename(folder / "z")


def link(folder: Path) -> None:
    (folder / "x").rename(folder.parent.parent / "away")
    (folder / "x").symlink_to(folder.parent.parent / "away")


@pytest.mark.parametrize("change", [grow, touch, add, remove, rename, link])
def test_the_quick_digest_sees(roots: dict[str, Path], change: Callable[[Path], None]) -> None:
    """Each trial's check notices other sizes, times, and files added, gone, renamed or linked."""
    before = manifest.quick_digest(roots)
    assert manifest.quick_digest(roots) == before
    change(roots["public"] / "train")
    assert manifest.quick_digest(roots) != before
