"""The relay when predictors or the scorer die, and with several predictors."""

import threading
import time
from typing import Any

import numpy as np
import pytest

from sandbox import limits
from sandbox.api import Outcome
from sandbox.containers.container import RoleContainer
from sandbox.errors import Cancelled
from sandbox.trials.relay import Budgets
from sealed_task import Predictors, frames
from sealed_task.frames import Kind
from tests.support.played import Program, Wire, answering, load
from tests.unit.relay_room import HASTY, ONE, Make, Room, misbehaving

# ---- predictors that die ----------------------------------------------------------------------


def test_a_load_that_raises_is_a_crash(room: Make) -> None:
    """The last line of its log says why, and its log is the rehearsal's."""

    def program(wire: Wire) -> None:
        wire.write(Kind.READY)
        wire.read()
        wire.err(b"Traceback:\n  line 1\nValueError: no weights\n")

    made = room(None, program)
    assert made.fails(Outcome.crash) == "`load` failed: ValueError: no weights"
    assert made.relay.current is not None
    assert "Traceback" in made.relay.current.log.text()


def test_a_predictor_that_dies_asked_is_a_crash(room: Make) -> None:
    """A lost channel is the candidate's, with what it said last."""

    def program(wire: Wire) -> None:
        load(wire)
        wire.read()
        wire.err(b"IndexError: 7\n")

    assert room(None, program).fails(Outcome.crash) == "the predictor ended: IndexError: 7"


def test_a_predictor_that_dies_unasked_is_a_crash(room: Make) -> None:
    """A death between questions is noticed while the scorer computes."""
    over = threading.Event()

    def score(predictors: Predictors) -> bytes:
        predictors.open()
        over.wait(20)
        return b""

    made = room(score, load)
    assert made.fails(Outcome.crash) == "the predictor ended"
    over.set()
    assert made.seconds < 10


def test_a_death_for_memory_is_told_apart(room: Make) -> None:
    """What the kernel killed for memory is `over_memory`, with the limit."""

    def program(wire: Wire) -> None:
        load(wire)
        wire.read()

    made = room(None, program)
    made.played.hungry = True
    assert "64 MiB" in made.fails(Outcome.over_memory)


def test_a_flood_ends_over_output(room: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log without end is counted up to the bound, while an answer is due and in `load`."""
    monkeypatch.setattr(limits, "LOG_FLOOD", 1 << 20)

    def flood(wire: Wire, nonce: int = 0) -> None:
        for _ in range(1000):
            wire.err(b"x" * 65_536)

    def loading(wire: Wire) -> None:
        wire.write(Kind.READY)
        wire.read()
        flood(wire)

    room(None, misbehaving(flood)).fails(Outcome.over_output)
    room(None, loading).fails(Outcome.over_output)


# ---- several predictors -----------------------------------------------------------------------


def test_the_second_opens_after_the_first_is_dead(room: Make) -> None:
    """Two predictors of a candidate never live at once: death comes before the next candidate."""
    made: list[Room] = []
    alive_then: list[set[str]] = []

    def score(predictors: Predictors) -> bytes:
        first = predictors.open()
        second = predictors.open()
        del first
        return bytes(second.ask(1.0, ONE).tobytes())

    def second(wire: Wire) -> None:
        wire.write(Kind.READY)
        wire.read()
        alive_then.append(set(made[0].played.alive))
        wire.write(Kind.LOADED)
        _, _, nonce = wire.read()
        wire.write(Kind.ANSWER, b"\0" * 8, nonce)
        wire.read()

    made.append(room(score, answering(lambda x: x), second))
    made[0].score()
    assert alive_then == [{"scorer-1", "predictor-2"}]


def test_leaving_a_predictor_ends_it(room: Make) -> None:
    """`close` kills at once, an answer that is due or not; closing again is fine."""

    def score(predictors: Predictors) -> bytes:
        predictor = predictors.open()
        predictor._send(1.0, ONE)
        predictor.close()
        predictor.close()
        with predictors.open(baseline=True) as baseline:
            return bytes(baseline.ask(3.0, ONE).tobytes())

    made = room(score, misbehaving(lambda w, n: None), answering(lambda x: x))
    assert np.frombuffer(made.score().payload)[0] == 3.0
    assert made.played.events == ["kill predictor-1", "kill predictor-2"]


def test_the_baseline_lives_beside_the_candidate(room: Make) -> None:
    """Both answer in turn, each the questions that were put to it."""

    def score(predictors: Predictors) -> bytes:
        new, old = predictors.open(), predictors.open(baseline=True)
        found = [p.ask(n, ONE).item() for n in (1.0, 2.0) for p in (new, old)]
        return np.array(found).tobytes()

    made = room(score, answering(lambda x: x), answering(lambda x: -x))
    assert np.frombuffer(made.score().payload).tolist() == [1, -1, 2, -2]


def test_a_timed_answer_is_timed_alone(room: Make) -> None:
    """While it is due all others are frozen; the seconds are those of the answer."""
    frozen: list[list[str]] = []
    made: list[Room] = []

    def score(predictors: Predictors) -> bytes:
        new, old = predictors.open(), predictors.open(baseline=True)
        seconds = [new.ask_timed(1.0, ONE)[1], old.ask_timed(1.0, ONE)[1]]
        return np.array([*seconds, new.ask(1.0, ONE).item()]).tobytes()

    def slow(question: float) -> float:
        frozen.append(made[0].played.events.copy())
        time.sleep(0.3)
        return question

    def quick(question: float) -> float:
        frozen.append(made[0].played.events.copy())
        return question

    made.append(room(score, answering(slow), answering(quick)))
    first, second, _ = np.frombuffer(made[0].score().payload)
    assert 0.3 <= first < 3
    assert 0 < second < first
    steps = ["pause predictor-2", "unpause predictor-2", "pause predictor-1", "unpause predictor-1"]
    assert frozen == [steps[:1], steps[:3], steps]


def test_freezing_is_in_nobodys_seconds(room: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that is slow to freeze and to thaw spends no time of predictors or the scorer."""
    monkeypatch.setattr(limits, "SCORER_OWN", 0.6)
    for name in ("freeze", "thaw"):
        act = getattr(RoleContainer, name)

        def slowly(container: RoleContainer, act: Any = act) -> None:
            time.sleep(0.4)
            act(container)

        monkeypatch.setattr(RoleContainer, name, slowly)

    def score(predictors: Predictors) -> bytes:
        new, _ = predictors.open(), predictors.open(baseline=True)
        seconds = [new.ask_timed(1.0, ONE)[1] for _ in range(3)]
        return np.array(seconds).tobytes()

    made = room(score, answering(lambda x: x), answering(lambda x: x))
    seconds = np.frombuffer(made.score(Budgets(load=30, scoring=0.35)).payload)
    assert made.seconds > 6 * 0.4
    assert seconds.max() < 0.35


def test_who_can_not_be_frozen_is_lost(room: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A candidate that makes its container unfreezable does not get another try for it."""

    def score(predictors: Predictors) -> bytes:
        _, old = predictors.open(), predictors.open(baseline=True)
        old.ask_timed(1.0, ONE)
        return b""

    made = room(score, misbehaving(lambda w, n: None), misbehaving(lambda w, n: None))
    made.played.freezes["predictor-1"] = 10**9
    monkeypatch.setattr(limits, "FREEZE", 0.1)
    assert made.fails(Outcome.crash) == "the predictor could not be frozen"


def test_freezing_is_tried_again(room: Make) -> None:
    """A container that is too busy for the first two tries is frozen by the third."""

    def score(predictors: Predictors) -> bytes:
        _, old = predictors.open(), predictors.open(baseline=True)
        return bytes(old.ask_timed(1.0, ONE)[0].tobytes())

    made = room(score, answering(lambda x: x), answering(lambda x: x))
    made.played.freezes["predictor-1"] = 3
    made.score()
    assert made.played.events[:2] == ["pause predictor-1", "unpause predictor-1"]


def test_what_is_frozen_can_be_killed(room: Make) -> None:
    """When a timed answer fails, what is frozen is thawed first: engines kill nothing frozen."""

    def score(predictors: Predictors) -> bytes:
        new, _ = predictors.open(), predictors.open(baseline=True)
        new.ask_timed(1.0, ONE)
        return b""

    made = room(score, misbehaving(lambda w, n: None), answering(lambda x: x))
    made.fails(Outcome.timeout, HASTY)
    events = made.played.events
    assert events.index("pause predictor-2") < events.index("unpause predictor-2")
    assert events.index("unpause predictor-2") < events.index("kill predictor-2")


# ---- whose fault ------------------------------------------------------------------------------


def open_baseline(predictors: Predictors) -> bytes:
    """A score that needs the baseline alone."""
    return bytes(predictors.open(baseline=True).ask(1.0, ONE).tobytes())


def never_loads(wire: Wire) -> None:
    """A predictor whose `load` hangs."""
    wire.write(Kind.READY)
    wire.read()
    wire.read()


@pytest.mark.parametrize(
    "program",
    [never_loads, load, misbehaving(lambda w, n: w.write(Kind.ANSWER, b"", n ^ 1)),
     misbehaving(lambda w, n: w.out(b"x" * 16))],
    ids=["load-hangs", "dies", "wrong-nonce", "garbage"],
)  # fmt: skip
def test_the_baselines_failure_is_not_the_candidates(room: Make, program: Program) -> None:
    """What the task's own train.py does wrong is no outcome of a candidate."""
    said = room(open_baseline, program).is_our_fault(Budgets(load=0.4, scoring=30))
    assert "baseline" in said


def test_a_scorer_that_ends_is_our_fault(room: Make) -> None:
    """A scorer that dies takes no candidate with it; what it said last is told."""

    def scorer(wire: Wire) -> None:
        wire.write(Kind.READY)
        wire.read()
        wire.err(b"MemoryError\n")

    made = Room(scorer, [])
    assert made.is_our_fault() == "the scorer ended: MemoryError"
    made.close()


@pytest.mark.parametrize(
    ("kind", "payload", "says"),
    [
        (Kind.BROKEN, b"ZeroDivisionError", "ZeroDivisionError"),
        (Kind.DONE, b"", "kind 14"),
        (Kind.ASK, frames.ASK.pack(7, 8, False), "had closed"),
    ],
)
def test_a_scorer_that_fails_is_our_fault(kind: Kind, payload: bytes, says: str) -> None:
    """An exception of `score`, or a step that the contract does not have, is not a candidate's."""

    def scorer(wire: Wire) -> None:
        wire.write(Kind.READY)
        wire.read()
        wire.write(kind, payload)
        wire.read()

    made = Room(scorer, [])
    assert says in made.is_our_fault()
    made.close()


def test_a_scorer_has_a_bound_of_its_own(room: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arithmetic without end is our fault; the time of answers and of opening is not counted."""
    monkeypatch.setattr(limits, "SCORER_OWN", 0.5)
    over = threading.Event()

    def score(predictors: Predictors) -> bytes:
        over.wait(20)
        return b""

    made = room(score)
    assert "`score` spent more than 0.5 s" in made.is_our_fault()
    assert made.seconds < 5
    over.set()

    def slowly(question: float) -> float:
        time.sleep(0.9)
        return question

    assert np.frombuffer(room(None, answering(slowly)).score().payload)[0] == 2.0


def test_a_cancelled_trial_leaves_no_predictor(room: Make) -> None:
    """What `wake` raises goes through, and the predictors die all the same."""
    turns: list[int] = []

    def wake() -> None:
        turns.append(1)
        if len(turns) > 3:
            raise Cancelled("The trial was cancelled.", "")

    made = room(None, misbehaving(lambda w, n: None))
    with pytest.raises(Cancelled):
        made.score(wake=wake)
    assert made.played.events == ["kill predictor-1"]
