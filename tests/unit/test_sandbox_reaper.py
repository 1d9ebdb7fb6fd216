"""The reaper's timer; what it removes is for the tests with an engine."""

import threading
import time
from typing import Any

import pytest

from sandbox.api import Reaped
from sandbox.containers.reaper import ReaperTimer, reap, sweep
from sandbox.containers.uids import UidPairs
from sandbox.errors import EngineUnavailable

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


# ---- what it does where not everything can be removed -------------------------------------------


class Stubborn:
    """The part of an engine that a reaper uses: some of its containers can't be removed."""

    def __init__(self, deadline: float, stubborn: set[str]) -> None:
        labels = {"sealed.instance": "i", "sealed.deadline": str(int(deadline))}
        self.there = [{"Id": name, "Labels": labels} for name in ("one", "two", "three")]
        self.kept = [{"Name": "artifact", "Labels": labels}, {"Name": "old", "Labels": None}]
        self.stubborn = stubborn

    def containers(self, labels: dict[str, str]) -> list[dict[str, Any]]:
        return list(self.there)

    def volumes(self, labels: dict[str, str]) -> list[dict[str, Any]]:
        assert labels["sealed.role"] == "artifact"
        return list(self.kept)

    def remove(self, container: str) -> None:
        if container in self.stubborn:
            raise EngineUnavailable("It can't be killed.", "Wait.")
        self.there = [found for found in self.there if found["Id"] != container]

    def remove_volume(self, name: str) -> None:
        if self.stubborn:
            raise EngineUnavailable("It is in use.", "Wait.")
        self.kept = [found for found in self.kept if found["Name"] != name]


def test_one_that_stays_keeps_no_other_from_going() -> None:
    """All are tried; who asked for it hears of the rest."""
    engine: Any = Stubborn(0, {"one"})
    reaped, left = sweep(engine, "i")
    assert (reaped.containers, reaped.volumes, left) == (2, 0, ["one"])
    with pytest.raises(EngineUnavailable, match="1 containers can't be removed, one the first"):
        reap(engine, "i")
    engine.stubborn = set()
    assert reap(engine, "i") == Reaped(containers=1, volumes=2)
    assert (engine.there, engine.kept) == ([], [])


@pytest.mark.parametrize(("ahead", "left"), [(-60, 0), (60, 3)])
def test_on_its_timer_it_takes_what_is_overdue_alone(ahead: float, left: int) -> None:
    """Containers and artifacts by their deadline; an artifact that has none stays."""
    engine: Any = Stubborn(time.time() + ahead, set())
    reap(engine, "i", overdue_only=True)
    assert len(engine.there) == left
    names = [found["Name"] for found in engine.kept]
    assert names == (["artifact", "old"] if left else ["old"])


def test_on_its_timer_it_takes_what_was_made_for_a_process_that_was_killed() -> None:
    """Made when the next process had looked already, and never started; its own it leaves alone."""
    uids = UidPairs()
    mine, _ = uids.lease()
    engine: Any = Stubborn(time.time() + 60, set())
    labels = engine.there[0]["Labels"]
    engine.there = [
        {"Id": name, "Labels": labels, "Names": [f"/sealed-i-verify-{uid}-{name}"], "State": state}
        for name, uid, state in (
            ("mine", mine, "created"),
            ("nobodys", mine + 2, "created"),
            ("running", mine + 4, "running"),
            ("dead", mine + 6, "exited"),
        )
    ]
    reap(engine, "i", overdue_only=True, uids=uids)
    assert [found["Id"] for found in engine.there] == ["mine", "running", "dead"]
