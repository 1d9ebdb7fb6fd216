"""A call with a deadline: what it gives in time, and what becomes of what comes late."""

import threading
import time

import pytest

from sandbox.deadline import within


def test_in_time_it_gives_what_the_call_gives_or_raises() -> None:
    """As if it had been called directly."""
    assert within(10, lambda: 3) == 3
    with pytest.raises(KeyError, match="gone"):
        within(10, lambda: {}["gone"])


def test_at_the_deadline_the_caller_goes_on() -> None:
    """The call may last; what it gives then goes to `late`, once, and to nobody else."""
    go, late = threading.Event(), threading.Event()
    given: list[int] = []

    def take(value: int) -> None:
        given.append(value)
        late.set()

    began = time.monotonic()
    with pytest.raises(TimeoutError, match=r"no answer within 0\.1 s"):
        within(0.1, lambda: go.wait(10) and 3, late=take)
    assert time.monotonic() - began < 5
    assert given == []
    go.set()
    assert late.wait(10)
    assert given == [3]


def test_a_late_failure_is_nobodys() -> None:
    """There is nothing to close; no thread dies of it."""
    go = threading.Event()
    given: list[object] = []

    def fail() -> None:
        go.wait(10)
        raise ValueError

    with pytest.raises(TimeoutError):
        within(0.05, fail, late=given.append)
    (thread,) = [t for t in threading.enumerate() if t.name == "engine call"]
    go.set()
    thread.join(10)
    assert given == []
