"""One trial, cancelled when a person interrupts this process, or stops the run from another one."""

import threading
from collections.abc import Callable
from contextlib import suppress

from sandbox.api import OnProgress, Sandbox, TrialRequest, TrialResult
from sandbox.errors import Cancelled, SandboxError

_LOOK_SECONDS = 0.5


class Stopped(Exception):
    """The trial was cancelled, because the run is to stop."""


def run_trial(
    sandbox: Sandbox,
    request: TrialRequest,
    on_progress: OnProgress,
    stopped: Callable[[], bool] = lambda: False,
) -> TrialResult:
    """Run a trial, or fetch what its key came to.

    Interrupted, or once `stopped` (asked in a thread of its own) says so, it frees the key: no
    container trains for nobody, and the same request later starts anew. Raises `Stopped`, and what
    `Sandbox.run` raises.
    """
    over, seen = threading.Event(), threading.Event()

    def watch() -> None:
        while not over.wait(_LOOK_SECONDS):
            if stopped():
                seen.set()
                with suppress(SandboxError):  # it may not have begun yet: the next look tells
                    sandbox.cancel(request.key)

    thread = threading.Thread(target=watch, name="stop", daemon=True)
    thread.start()
    try:
        return sandbox.run(request, on_progress)
    except Cancelled:
        if seen.is_set():
            raise Stopped from None
        raise
    except KeyboardInterrupt:
        with suppress(SandboxError):  # it may have ended, or never begun
            sandbox.cancel(request.key)
        raise
    finally:
        over.set()
        thread.join()
