"""The status page on a real socket of loopback, in a thread of the test."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import uvicorn

from controller.supervisor import Serving
from controller.web.app import make_app

HOSTS = ("127.0.0.1", "localhost", "[::1]")


@contextlib.contextmanager
def served_page(serving: Callable[[], Serving | None] = lambda: None) -> Iterator[str]:
    """Serve until the block is left; gives the address, without a slash at its end."""
    config = uvicorn.Config(
        make_app(serving, HOSTS),
        log_config=None,
        lifespan="off",
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
