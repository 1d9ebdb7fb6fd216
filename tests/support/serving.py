"""The sandbox's API on a real socket, in a thread of the test."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from sandbox.server import Api


@contextlib.contextmanager
def served(api: Api, path: Path) -> Iterator[Path]:
    """Serve until the block is left."""
    server = uvicorn.Server(
        uvicorn.Config(api.app(), log_config=None, lifespan="off", timeout_graceful_shutdown=1)
    )
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()  # a client that is quicker than the server waits
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield path
        finally:
            server.should_exit = True
            thread.join()
