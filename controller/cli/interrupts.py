"""What stops the process, raised in the main thread as `KeyboardInterrupt`, and never lost.

An exception that a signal raises inside a destructor or another callback of the interpreter is
printed and dropped, and the process would run on as if nobody had asked it to end. So the signal
is raised again until somebody takes it, but not while somebody does: cleaning up is not cut off.
"""

import os
import signal
import sys
import threading
from types import FrameType
from typing import Any

_AGAIN_SECONDS = 1.0
_over = threading.Event()


def install() -> None:
    """SIGTERM, which stops services, is as a person's Ctrl-C; SIGINT too, where it was ignored."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)


def ended() -> None:
    """The interrupt has been taken, and the process is about to end."""
    _over.set()


def _interrupt(number: int, frame: FrameType | None) -> None:
    threading.Thread(target=_insist, args=(number,), name="interrupt", daemon=True).start()
    raise KeyboardInterrupt


def _insist(number: int) -> None:
    if not _over.wait(_AGAIN_SECONDS) and not _is_taken():
        os.kill(os.getpid(), number)


def _is_taken() -> bool:
    """Whether the main thread is handling an interrupt, or something that went wrong in that."""
    handled: Any = sys._current_exceptions().get(threading.main_thread().ident or 0)
    # The exception itself from Python 3.12 on, before that what `sys.exc_info` gives.
    fault: BaseException | None = handled[1] if isinstance(handled, tuple) else handled
    while fault is not None and not isinstance(fault, KeyboardInterrupt):
        fault = fault.__context__
    return fault is not None
