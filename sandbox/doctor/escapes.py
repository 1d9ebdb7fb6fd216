"""Versions against known escapes, which are data: `escapes.toml`, each with its source."""

import math
import re
from functools import cache
from importlib import resources
from typing import Literal

import msgspec
from msgspec import Struct

Component = Literal["engine", "containerd", "runc", "desktop", "toolkit"]
Parsed = tuple[int, int, int, float]

_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:[-~]?rc\.?(\d+))?")
_REVISION = re.compile(r"(.*\D)(\d+)", re.DOTALL)


class Escape(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One entry; the head of `escapes.toml` says what the fields mean."""

    id: str
    component: Component
    fixed: list[str]
    allows: str
    source: str
    packages: list[str] = []
    plugin: str = ""


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    escape: list[Escape]


@cache
def escapes() -> tuple[Escape, ...]:
    """All entries, in the file's order."""
    text = resources.files("sandbox.doctor").joinpath("escapes.toml").read_bytes()
    return tuple(msgspec.toml.decode(text, type=_File).escape)


def parse(version: str) -> Parsed | None:
    """Major, minor, patch, and the release candidate; infinity for a release. None: no version."""
    found = _VERSION.search(version)
    if found is None:
        return None
    major, minor, patch, candidate = found.groups()
    return int(major), int(minor), int(patch), math.inf if candidate is None else int(candidate)


def is_mended(escape: Escape, version: Parsed, package: str) -> bool:
    """Whether a version has the fix, or the distribution's package of it, where that is told."""
    first = sorted(mended for text in escape.fixed if (mended := parse(text)) is not None)
    series = [mended for mended in first if mended[:2] == version[:2]]
    if version >= (series[0] if series else first[-1]):
        return True
    return any(_is_revision(package, carries) for carries in escape.packages)


def _is_revision(package: str, of: str) -> bool:
    """Whether a package is this one or a later revision of it: only its last number is higher."""
    ours, theirs = _REVISION.fullmatch(package), _REVISION.fullmatch(of)
    return bool(ours and theirs and ours[1] == theirs[1] and int(ours[2]) >= int(theirs[2]))
