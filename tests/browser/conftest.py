"""A real browser: Debian's Chromium. Without one, tests are skipped, or, in CI, fail."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, without a window."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        told = "no chromium: `scripts/engine.sh install chromium`"
        if os.environ.get("REQUIRE_DOCKER") or os.environ.get("CI"):
            pytest.fail(told, pytrace=False)
        pytest.skip(told)
    # As root, Chromium's own sandbox does not start; the pages are ours, on loopback.
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=program, args=flags)
        yield found
        found.close()


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs of a test are its own."""
    monkeypatch.setenv("SEALED_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"
