"""Versions against known escapes: how they are compared, and what the data file must have."""

import re
from urllib.parse import urlsplit

import pytest

from sandbox.doctor.escapes import Escape, escapes, is_mended, parse

MASKED = Escape(
    id="CVE-2025-31133",
    component="runc",
    fixed=["1.2.8", "1.3.3", "1.4.0-rc.3"],
    packages=["1.1.5+ds1-1+deb12u3"],
    allows="",
    source="",
)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("1.1.12", (1, 1, 12)),
        ("v1.7.27", (1, 7, 27)),
        ("1.1.5+ds1", (1, 1, 5)),
        ("1.6.20~ds1", (1, 6, 20)),
        ("20.10.24+dfsg1", (20, 10, 24)),
        ("Docker Desktop 4.42.0 (190636)", (4, 42, 0)),
        ("NVIDIA Container Toolkit CLI version 1.17.8", (1, 17, 8)),
    ],
)
def test_versions_as_engines_tell_them(text: str, parts: tuple[int, int, int]) -> None:
    """Upstream's three numbers are found in what distributions and vendors make of them."""
    found = parse(text)
    assert found is not None
    assert found[:3] == parts


@pytest.mark.parametrize("text", ["", "unknown", "1.2", "e6534b4"])
def test_what_is_no_version(text: str) -> None:
    """It is not guessed at."""
    assert parse(text) is None


def test_a_candidate_comes_before_its_release() -> None:
    """In upstream's spelling and in Debian's."""
    order = ["1.4.0-rc.2", "1.4.0~rc3+ds1", "1.4.0", "1.4.1-rc.1"]
    parsed = [parse(text) for text in order]
    assert None not in parsed
    assert parsed == sorted(parsed, key=lambda version: version or (0, 0, 0, 0.0))


@pytest.mark.parametrize(
    ("version", "package", "mended"),
    [
        ("1.2.7", "", False),
        ("1.2.8", "", True),
        ("1.2.9", "", True),
        ("1.3.2", "", False),
        ("1.3.3", "", True),
        ("1.4.0-rc.2", "", False),
        ("1.4.0-rc.3", "", True),
        ("1.5.0", "", True),
        ("2.0.0-rc.1", "", True),
        ("1.1.15", "", False),
        ("1.1.5+ds1", "1.1.5+ds1-1+deb12u2", False),
        ("1.1.5+ds1", "1.1.5+ds1-1+deb12u3", True),
        ("1.1.5+ds1", "1.1.5+ds1-1+deb12u10", True),
        ("1.1.5+ds1", "1.1.5+ds1-2+deb12u3", False),
        ("1.1.5", "v1.1.5-0-gf19387a6", False),
    ],
)
def test_a_version_is_mended_from_the_first_one_of_its_series_on(
    version: str, package: str, mended: bool
) -> None:
    """A series without a fix stays open; a distribution's own fix counts for its own revisions."""
    parsed = parse(version)
    assert parsed is not None
    assert is_mended(MASKED, parsed, package) is mended


def test_every_entry_can_be_followed_to_its_source() -> None:
    """An advisory of who makes the part, or of who keeps its number; and a way to be mended."""
    found = escapes()
    assert len({escape.id for escape in found}) == len(found) >= 10
    for escape in found:
        assert re.fullmatch(r"CVE-\d{4}-\d{4,}", escape.id)
        link = urlsplit(escape.source)
        assert link.scheme == "https"
        assert link.hostname in {
            "github.com",
            "docs.docker.com",
            "nvidia.custhelp.com",
            "www.cve.org",
        }
        assert len(escape.allows.split()) >= 4
        versions = [parse(text) for text in escape.fixed]
        assert versions
        assert None not in versions
        for package in escape.packages:
            told = parse(package)
            assert told is not None
            assert not is_mended(escape, told, ""), "the number alone is enough"
            assert is_mended(escape, told, package)
