"""What several of these tests need of the engine."""

import secrets
from collections.abc import Iterator
from contextlib import suppress

import docker.errors
import pytest

from sandbox.service import Service


@pytest.fixture
def tag(service: Service) -> Iterator[str]:
    """A name for an image, which is removed at the end."""
    name = f"sealed-test-{secrets.token_hex(4)}"
    yield name
    with suppress(docker.errors.ImageNotFound):
        service._host.engine._api.remove_image(name, force=True)
