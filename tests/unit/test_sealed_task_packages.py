"""sealed_task.package_file: a file of PyPI by its hash, from the index that is set, or a reason."""

import hashlib

import pytest

from sealed_task import package_file, packages

MIRROR = "https://mirror.test/simple"
FILE = "thing-1.0.tar.gz"


def served(monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes | OSError]) -> list[str]:
    """An index with these files, and no waiting; returns what is asked for, as it is asked."""
    asked: list[str] = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        answer = files[url]
        if isinstance(answer, OSError):
            raise answer
        return answer

    monkeypatch.setenv("PIP_INDEX_URL", MIRROR + "/")
    monkeypatch.setattr(packages, "_fetch", fetch)
    monkeypatch.setattr(packages.time, "sleep", lambda _: None)
    return asked


def test_the_file_is_had_from_the_index_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mirror's links may be relative, and may carry a hash; the pinned one is what counts."""
    page = f'<a href="../../f/{FILE}#sha256=0">{FILE}</a>'.encode()
    file = f"https://mirror.test/f/{FILE}"
    asked = served(monkeypatch, {f"{MIRROR}/thing/": page, file: b"data"})
    assert package_file("thing", FILE, hashlib.sha256(b"data").hexdigest()) == b"data"
    assert asked == [f"{MIRROR}/thing/", file]


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (OSError("no route"), "no route"),
        (b"<html></html>", f"no link to {FILE}"),
        (f'<a href="/f/{FILE}">'.encode(), "another SHA-256"),
    ],
)
def test_a_failed_download_is_tried_again_and_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, page: bytes | OSError, reason: str
) -> None:
    """The error has its reason, the index and the settings that help."""
    files: dict[str, bytes | OSError] = {
        f"{MIRROR}/thing/": page,
        f"https://mirror.test/f/{FILE}": b"forged",
    }
    asked = served(monkeypatch, files)
    with pytest.raises(RuntimeError, match=reason) as fault:
        package_file("thing", FILE, "0" * 64)
    assert asked.count(f"{MIRROR}/thing/") == packages.ATTEMPTS
    for step in (MIRROR, "https_proxy", "SEALED_CA_BUNDLE", "PIP_INDEX_URL"):
        assert step in str(fault.value)
