"""An engine that lies when it is told to."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.lying_engine import LyingEngine


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[LyingEngine]:
    """In front of the engine that DOCKER_HOST names; truthful at first."""
    socket = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
    proxy = LyingEngine(tmp_path / "engine.sock", socket)
    yield proxy
    proxy.close()
