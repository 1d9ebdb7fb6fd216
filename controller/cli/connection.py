"""The sandbox that the verbs talk to."""

from collections.abc import Iterator
from contextlib import contextmanager

from sandbox.api import Sandbox


@contextmanager
def connected() -> Iterator[Sandbox]:
    """A client of the sandbox, which is started if none listens. Raises `SandboxError`."""
    from sandbox.client import connect  # httpx is slow to import, and most verbs need none

    with connect() as client:
        yield client
