"""A call with a deadline of its own, whatever is at its other end.

An HTTP library bounds each read and not their sum: an engine that sends a byte now and then would
hold its caller for ever. So the call is made in a thread, and who waits for it stops waiting.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def within(seconds: float, act: Callable[[], T], late: Callable[[T], object] = lambda _: None) -> T:
    """What `act` gives or raises, or `TimeoutError` after `seconds`.

    What it gives after that goes to `late`, so that nothing is left open.
    """
    future: Future[T] = Future()

    def work() -> None:
        try:
            future.set_result(act())
        except BaseException as fault:
            future.set_exception(fault)

    def drop(done: "Future[T]") -> None:
        if done.exception() is None:
            late(done.result())

    threading.Thread(target=work, name="engine call", daemon=True).start()
    try:
        return future.result(seconds)
    except TimeoutError:
        future.add_done_callback(drop)
        raise TimeoutError(f"no answer within {seconds:g} s") from None
