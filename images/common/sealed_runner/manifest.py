"""What lies in the data volumes: hashed in full at prepare and run start, looked at each trial."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path


def files(roots: Mapping[str, Path]) -> Iterator[tuple[str, Path]]:
    """Name and path of every regular file below the roots, in a fixed order."""
    for name, root in sorted(roots.items()):
        for path in sorted(root.rglob("*")):
            if path.is_file() and not path.is_symlink():
                yield f"{name}/{path.relative_to(root)}", path


def full(roots: Mapping[str, Path]) -> list[tuple[str, int, str]]:
    """Name, size in bytes and SHA-256 of every file."""
    rows = []
    for name, path in files(roots):
        with path.open("rb") as file:
            rows.append(
                (name, path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())
            )
    return rows


def quick_digest(roots: Mapping[str, Path]) -> str:
    """One SHA-256 over name, size and modification time of every file: no content is read."""
    digest = hashlib.sha256()
    for name, path in files(roots):
        state = path.stat()
        digest.update(f"{name}\0{state.st_size}\0{state.st_mtime_ns}\n".encode())
    return digest.hexdigest()
