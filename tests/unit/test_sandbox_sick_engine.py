"""An engine that fails while a container is to die, or takes its time: whose fault it is."""

import contextlib
import time
from collections.abc import Callable, Iterator

import pytest

from sandbox.containers.container import Undead
from sandbox.errors import EngineUnavailable
from sealed_task import Predictors
from sealed_task.frames import Kind
from tests.support.played import answering, scoring
from tests.unit.relay_room import HASTY, ONE, Room, ask_one


@pytest.fixture
def room() -> Iterator[Room]:
    """A scorer that asks one question, and predictors that answer."""
    room = Room(scoring(ask_one), [answering(lambda x: x)])
    yield room
    room.close()


def failing(kill: Callable[[str], None], times: int) -> Callable[[str], None]:
    """A `kill` that the engine refuses so often."""
    left = times

    def act(container: str) -> None:
        nonlocal left
        if left:
            left -= 1
            raise EngineUnavailable("It restarts.", "Wait.")
        kill(container)

    return act


def test_an_engine_that_restarts_is_asked_again(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill that fails for a moment puts nothing into quarantine, and the score stands."""
    monkeypatch.setattr(room.played, "kill", failing(room.played.kill, 3))
    assert room.score().kind == Kind.SCORE
    assert "kill predictor-1" in room.played.events


def test_a_death_that_nobody_confirms_is_none(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the time that a death may take; its uids stay leased, for its processes may live."""
    monkeypatch.setattr("sandbox.limits.DEATH", 0.3)
    scorer = room.scorer
    with monkeypatch.context() as patch:
        patch.setattr(room.played, "kill", failing(room.played.kill, 10**6))
        began = time.monotonic()
        with pytest.raises(Undead, match=r"can't be killed: It restarts\."):
            scorer.kill()
        assert 0.3 <= time.monotonic() - began < 10
        assert room.uids.leased == 1
    with monkeypatch.context() as patch:
        patch.setattr(room.played, "kill", lambda _: None)
        with pytest.raises(Undead, match="does not die"):
            scorer.kill()
    scorer.kill()
    assert room.uids.leased == 0


def test_an_engine_that_is_slow_to_thaw_costs_no_candidate_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The answer was there in time: what the engine takes afterwards is nobody's."""

    def ask_timed(predictors: Predictors) -> bytes:
        with predictors.open() as new, predictors.open(baseline=True) as baseline:
            for predictor in (new, baseline):
                predictor.ask_timed(2.0, ONE)
        return b""

    predictors = [answering(lambda x: x), answering(lambda x: x)]
    with contextlib.closing(Room(scoring(ask_timed), predictors)) as room:
        unpause = room.played.unpause

        def slow(container: str) -> None:
            time.sleep(HASTY.scoring)
            unpause(container)

        monkeypatch.setattr(room.played, "unpause", slow)
        assert room.score(HASTY).kind == Kind.SCORE
