"""Quarantine: cores of what does not die are with nobody else, until it does."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.containers.quarantine import Quarantine, cores_of, notation
from sandbox.errors import EngineUnavailable

Make = Callable[[int], Quarantine]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Makes one on a machine of so many cores, that asks again at once."""
    monkeypatch.setattr("sandbox.limits.QUARANTINE", 0.01)
    made: list[Quarantine] = []

    def make(cpus: int) -> Quarantine:
        made.append(Quarantine(cpus))
        return made[-1]

    yield make
    for quarantine in made:
        quarantine.stop()


class Undying:
    """What can be removed once `dead` is set."""

    def __init__(self) -> None:
        self.dead = threading.Event()
        self.freed = threading.Event()
        self.tries = 0

    def remove(self) -> None:
        self.tries += 1
        if not self.dead.is_set():
            raise EngineUnavailable("It can't be killed.", "Wait.")


def test_a_trial_has_the_highest_cores_that_are_free(make: Make) -> None:
    """As many as the quota needs; those in quarantine are skipped, and too few are none."""
    quarantine = make(4)
    assert quarantine.cores(1.5) == {2, 3}
    quarantine.admit(Undying().remove, "one", frozenset({3}))
    assert quarantine.cores(1.5) == {1, 2}
    quarantine.admit(Undying().remove, "two", frozenset({1}))
    assert quarantine.cores(2) == {0, 2}
    assert quarantine.cores(3) is None
    assert quarantine.why == "one; two"


def test_more_cpus_than_there_are_is_all_of_them(make: Make) -> None:
    """As without a quarantine; but then all must be free."""
    quarantine = make(2)
    assert quarantine.cores(64) == {0, 1}
    quarantine.admit(Undying().remove, "one", frozenset({0}))
    assert quarantine.cores(64) is None


def test_all_is_given_back_once_it_is_dead(make: Make) -> None:
    """It is asked again and again; one that stays does not keep another from leaving."""
    quarantine, stays, leaves = make(2), Undying(), Undying()
    quarantine.admit(stays.remove, "stays", frozenset({0}), stays.freed.set)
    quarantine.admit(leaves.remove, "leaves", frozenset({1}), leaves.freed.set)
    deadline = time.monotonic() + 10
    while leaves.tries < 3:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    assert not leaves.freed.is_set()
    leaves.dead.set()
    assert leaves.freed.wait(10)
    assert quarantine.cores(1) == {1}
    assert (quarantine.why, stays.freed.is_set()) == ("stays", False)


def test_what_keeps_no_core_is_only_asked_again(make: Make) -> None:
    """A set in which no agent code runs is in nobody's way."""
    quarantine, idle = make(1), Undying()
    quarantine.admit(idle.remove, "idle", freed=idle.freed.set)
    assert (quarantine.cores(1), quarantine.why) == ({0}, "")
    idle.dead.set()
    assert idle.freed.wait(10)


@given(st.frozensets(st.integers(0, 200)))
def test_the_kernels_notation_names_the_same_cores(cores: frozenset[int]) -> None:
    """Written and read again; ranges, as earlier versions wrote them, are read too."""
    assert cores_of(notation(cores)) == cores
    assert cores_of("0-2,5") == {0, 1, 2, 5}
