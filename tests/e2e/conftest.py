"""A stack of Compose. Without Compose its tests are skipped, or, in CI, fail."""

import os
import subprocess
from collections.abc import Callable, Iterator

import pytest

from sandbox.engine import Engine
from sandbox.errors import ImageUnfit
from tests.e2e.stack import Stack


@pytest.fixture(scope="session")
def composed(engine: Engine) -> None:
    """Compose is there, and so are the images: `make test` sees to both."""
    missing = ""
    if subprocess.run(
        ["docker", "compose", "version"], capture_output=True, check=False
    ).returncode:
        missing = "no Compose: scripts/engine.sh compose"
    try:
        for name in ("agent", "scorer", "controller", "sandbox"):
            engine.image(f"sealed-{name}")
    except ImageUnfit as fault:
        missing = str(fault)
    if missing and os.environ.get("REQUIRE_DOCKER"):
        pytest.fail(f"REQUIRE_DOCKER is set: {missing}", pytrace=False)
    if missing:
        pytest.skip(missing)


@pytest.fixture(scope="module")
def make_stack(composed: None) -> Iterator[Callable[..., Stack]]:
    """Makes stacks; nothing of them stays."""
    made: list[Stack] = []

    def make(**settings: str) -> Stack:
        made.append(Stack(f"sealed-e2e-{os.getpid()}-{len(made)}", dict(settings)))
        return made[-1]

    yield make
    for stack in made:
        stack.remove()
