"""The reaper's timer; what it removes is for the tests with an engine."""

import threading
import time

from sandbox.api import Reaped
from sandbox.errors import EngineUnavailable
from sandbox.reaper import ReaperTimer

NOTHING = Reaped(containers=0, volumes=0)


def reapers() -> list[threading.Thread]:
    """Threads of timers that have not ended."""
    return [thread for thread in threading.enumerate() if thread.name == "reaper"]


def test_it_acts_every_so_often() -> None:
    """Again and again, and not before the first wait is over."""
    times: list[float] = []
    enough = threading.Event()

    def act() -> Reaped:
        times.append(time.monotonic())
        if len(times) == 3:
            enough.set()
        return NOTHING

    began = time.monotonic()
    timer = ReaperTimer(act, 0.02)
    assert enough.wait(10)
    timer.stop()
    assert times[0] - began >= 0.02


def test_it_stops_at_once() -> None:
    """A timer that waits for an hour ends when it is told, and acts no more."""
    before = len(reapers())
    calls: list[int] = []
    timer = ReaperTimer(lambda: calls.append(1) or NOTHING, 3600)  # type: ignore[func-returns-value]
    assert len(reapers()) == before + 1
    began = time.monotonic()
    timer.stop()
    assert time.monotonic() - began < 4
    assert len(reapers()) == before
    assert calls == []
    timer.stop()


def test_an_engine_that_fails_does_not_end_it() -> None:
    """After an error of the engine the next turn comes all the same."""
    turns: list[int] = []
    again = threading.Event()

    def act() -> Reaped:
        turns.append(1)
        if len(turns) == 2:
            again.set()
        raise EngineUnavailable("No engine.", "Start it.")

    timer = ReaperTimer(act, 0.01)
    assert again.wait(10)
    timer.stop()


def test_it_keeps_no_process_alive() -> None:
    """Its thread is a daemon: a process that forgets to stop it still ends."""
    timer = ReaperTimer(lambda: NOTHING, 3600)
    assert all(thread.daemon for thread in reapers())
    timer.stop()
