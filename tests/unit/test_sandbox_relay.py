"""The relay between a scorer and predictors that misbehave, to the byte and the millisecond."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from sandbox import limits
from sandbox.api import Outcome
from sandbox.container import RoleContainer
from sandbox.errors import Cancelled
from sandbox.policy import Order, Role, Volumes
from sandbox.relay import Budgets, CandidateFailed, Relay, ScorerFailed
from sandbox.streams import Frame
from sandbox.uids import UidPairs
from sealed_task import Array, Predictors, Text, frames
from sealed_task.frames import Kind
from tests.support.played import PlayedEngine, Program, Wire, answering, load, scoring

ONE = Array("f8", ())
PATIENT = Budgets(load=30, scoring=30)
HASTY = Budgets(load=0.4, scoring=0.4)


class Room:
    """One scorer, the predictors that it opens, and the relay between them."""

    def __init__(self, scorer: Program, predictors: list[Program]) -> None:
        self.played = PlayedEngine(scorer=[scorer], predictor=predictors)
        self.uids = UidPairs()
        self.seconds = 0.0
        self.containers: list[RoleContainer] = []
        self.scorer = self._start(Role.scorer, limits.QUESTION)
        self.relay: Relay

    def _start(self, role: Role, most: int) -> RoleContainer:
        timer, program = self.uids.lease()
        order = Order(
            role=role,
            image="sha256:0",
            instance="i",
            trial="t",
            deadline=0,
            timer_uid=timer,
            program_uid=program,
            memory_mib=64,
            cpus=1,
            cpuset="0",
            artifact_mib=1,
            volumes=Volumes(),
        )
        engine: Any = self.played
        container = RoleContainer(engine, order, self.uids)
        self.containers.append(container)
        container.start(most=most)
        container.ready()
        return container

    def close(self) -> None:
        """End it; none of its programs may have failed or hang."""
        for container in self.containers:
            container.remove()
        self.played.stop()
        assert self.played.faults == []

    def score(self, budgets: Budgets = PATIENT, wake: Callable[[], None] = lambda: None) -> Frame:
        """Relay one score; afterwards every predictor is dead, whatever happened."""
        self.relay = Relay(
            self.scorer,
            lambda baseline: self._start(Role.predictor, 0),
            lambda baseline: b"the baseline" if baseline else b"the candidate",
            budgets,
            wake,
        )
        began = time.monotonic()
        try:
            return self.relay.score("rehearsal")
        finally:
            self.seconds = time.monotonic() - began
            assert self.played.alive <= {"scorer-1"}
            assert self.uids.leased == 1

    def fails(self, outcome: Outcome, budgets: Budgets = PATIENT) -> str:
        """Relay a score that ends with this outcome of the candidate; returns the reason."""
        with pytest.raises(CandidateFailed) as fault:
            self.score(budgets)
        assert fault.value.outcome is outcome
        return fault.value.reason

    def is_our_fault(self, budgets: Budgets = PATIENT) -> str:
        """Relay a score that fails without the candidate's doing; returns what is said."""
        with pytest.raises(ScorerFailed) as fault:
            self.score(budgets)
        return str(fault.value)


Make = Callable[..., Room]


@pytest.fixture
def room() -> Iterator[Make]:
    """Makes rooms; at the end no program of theirs has failed or hangs."""
    made: list[Room] = []

    def make(scorer: Callable[[Predictors], bytes] | None, *predictors: Program) -> Room:
        made.append(Room(scoring(scorer or ask_one), list(predictors)))
        return made[-1]

    yield make
    for one in made:
        one.close()


def ask_one(predictors: Predictors) -> bytes:
    """A score of one question."""
    with predictors.open() as predictor:
        return bytes(predictor.ask(2.0, ONE).tobytes())


def misbehaving(act: Callable[[Wire, int], None]) -> Program:
    """A predictor that loads, and then does this with its first question's nonce."""

    def program(wire: Wire) -> None:
        load(wire)
        _, _, nonce = wire.read()
        act(wire, nonce)
        wire.read()

    return program


# ---- when all is well -------------------------------------------------------------------------


def test_questions_and_answers_pass(room: Make) -> None:
    """Questions reach the predictor as they were sent, and answers the scorer, in order."""

    def score(predictors: Predictors) -> bytes:
        with predictors.open() as predictor:
            text = predictor.ask({"x": [1, "two", None]}, Text(100))
            many = predictor.ask_all((np.full(3, n) for n in range(50)), Array("i8", (3,)))
        return text.encode() + b"|" + np.concatenate(many).tobytes()

    seen: list[Any] = []

    def answer(question: Any) -> Any:
        seen.append(question)
        return str(question) if isinstance(question, dict) else question * 2

    made = room(score, answering(answer))
    frame = made.score()
    text, _, numbers = bytes(frame.payload).partition(b"|")
    assert frame.kind == Kind.SCORE
    assert text == b"{'x': [1, 'two', None]}"
    assert np.frombuffer(numbers, "i8").tolist() == [2 * n for n in range(50) for _ in range(3)]
    assert len(seen) == 51


def test_large_answers_pass(room: Make) -> None:
    """Answers of many reads, several under way, arrive whole."""
    size = 1 << 18

    def score(predictors: Predictors) -> bytes:
        with predictors.open() as predictor:
            found = predictor.ask_all((float(n) for n in range(6)), Array("f8", (size,)))
        return np.array([array.mean() for array in found]).tobytes()

    frame = room(score, answering(lambda n: np.full(size, n))).score()
    assert np.frombuffer(frame.payload).tolist() == [0, 1, 2, 3, 4, 5]


def test_a_predictor_gets_candidate_and_timer(room: Make) -> None:
    """It is told the candidate, or the baseline, once, under a timer of everything it may take."""
    told: list[bytes] = []

    def score(predictors: Predictors) -> bytes:
        predictors.open()
        predictors.open(baseline=True)
        return b""

    made = room(score, answering(abs, told), answering(abs, told))
    made.score(Budgets(load=3, scoring=4))
    assert told == [b"the candidate", b"the baseline"]
    ceiling = 3 + 4 + limits.SCORER_OWN + limits.TIMER_GRACE
    assert made.played.armed("predictor-1") == f"{ceiling:.3f}\n".encode()
    assert made.relay.current is not None
    assert made.relay.current.id == "predictor-1"


@pytest.mark.parametrize("kind", [Kind.INVALID, Kind.DISHONEST])
def test_the_scorers_last_word_is_handed_on(kind: Kind) -> None:
    """A refusal of the scorer ends the relay as a score does."""

    def scorer(wire: Wire) -> None:
        wire.write(Kind.READY)
        wire.read()
        wire.write(kind, b"because")
        wire.read()

    made = Room(scorer, [])
    frame = made.score()
    assert (frame.kind, frame.text()) == (kind, "because")
    made.close()


def test_one_scorer_scores_twice(room: Make) -> None:
    """Rehearsal and sealed scoring use one scorer, and a fresh predictor each."""
    made = room(None, answering(lambda x: x), answering(lambda x: -x))
    first, second = (np.frombuffer(made.score().payload)[0] for _ in range(2))
    assert (first, second) == (2.0, -2.0)


# ---- predictors that answer wrongly -----------------------------------------------------------


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (lambda w, n: w.write(Kind.ANSWER, b"\0" * 8, n ^ 1), "no question"),
        (lambda w, n: w.write(Kind.ANSWER, b"\0" * 8, 0), "no question"),
        (lambda w, n: [w.write(Kind.ANSWER, b"\0" * 8, n) for _ in range(2)], "no question"),
        (lambda w, n: w.write(Kind.DONE, b"", n), "larger"),
        (lambda w, n: w.write(Kind.SCORE, b"\0" * 8, n), "larger"),
        (lambda w, n: w.write(Kind.REPLY, b"\0" * 8, n), "larger"),
        (lambda w, n: w.write(Kind.ANSWER, b"\0" * 9, n), "larger"),
        (lambda w, n: w.write(Kind.ANSWER, b"\0" * (limits.FAULT + 1), n), "at most"),
        (lambda w, n: w.out(frames.HEADER.pack(b"sF", Kind.ANSWER, 0, 2**32 - 1, n)), "at most"),
        (lambda w, n: w.out(b"score: 0.0000000"), "no frame"),
        (lambda w, n: w.write(Kind.FAULT, b"the answer has shape (2,)", n), "shape"),
    ],
    ids=["other-nonce", "no-nonce", "twice", "done", "score", "reply", "one-byte-more", "large",
         "lying-length", "printed", "fault"],
)  # fmt: skip
def test_an_answer_that_is_none_is_invalid(
    room: Make, act: Callable[[Wire, int], None], says: str
) -> None:
    """Whatever a predictor says but the one answer to the one question ends the trial."""

    def score(predictors: Predictors) -> bytes:
        predictor = predictors.open()
        predictor.ask(1.0, ONE)
        predictor.ask(1.0, ONE)
        return b""

    assert says in room(score, misbehaving(act)).fails(Outcome.invalid)


def test_an_answer_nobody_asked_for_is_invalid(room: Make) -> None:
    """A predictor that speaks before it is asked is not waited for."""

    over = threading.Event()

    def score(predictors: Predictors) -> bytes:
        predictors.open()
        over.wait(20)
        return b""

    def program(wire: Wire) -> None:
        load(wire)
        wire.write(Kind.ANSWER, b"", 0)
        wire.read()

    made = room(score, program)
    assert "no question" in made.fails(Outcome.invalid)
    assert made.seconds < 10
    over.set()


def test_each_answer_is_held_to_its_own_question(room: Make) -> None:
    """While a large answer is due, the one to a small question may still not be large."""

    def score(predictors: Predictors) -> bytes:
        predictor = predictors.open()
        predictor._send(1.0, ONE)
        predictor._send(2.0, Array("f8", (1000,)))
        predictor._receive(ONE)
        return b""

    def program(wire: Wire) -> None:
        load(wire)
        nonces = [wire.read()[2] for _ in range(2)]
        wire.write(Kind.ANSWER, b"\0" * 8000, nonces[0])
        wire.read()

    assert "larger" in room(score, program).fails(Outcome.invalid)


def test_answers_out_of_order_are_invalid(room: Make) -> None:
    """Pipelined questions are answered one after the other: a nonce is not picked from several."""

    def score(predictors: Predictors) -> bytes:
        predictors.open().ask_all([1.0, 2.0], ONE)
        return b""

    def program(wire: Wire) -> None:
        load(wire)
        nonces = [wire.read()[2] for _ in range(2)]
        wire.write(Kind.ANSWER, b"\0" * 8, nonces[1])
        wire.read()

    assert "no question" in room(score, program).fails(Outcome.invalid)


def test_a_long_fault_is_cut(room: Make) -> None:
    """Why a predictor can't answer is told, in no more than a reason may have."""
    program = misbehaving(lambda w, n: w.write(Kind.FAULT, b"y" * limits.FAULT, n))
    assert room(None, program).fails(Outcome.invalid) == "y" * limits.REASON


# ---- predictors that do not answer ------------------------------------------------------------


def test_silence_is_a_timeout(room: Make) -> None:
    """A predictor that does not answer spends scoring_seconds, and not much more."""
    made = room(None, misbehaving(lambda w, n: None))
    assert "scoring_seconds (0.4 s)" in made.fails(Outcome.timeout, HASTY)
    assert 0.4 <= made.seconds < 3


def test_byte_by_byte_is_a_timeout(room: Make) -> None:
    """An answer that trickles in gains no time by being under way."""

    def act(wire: Wire, nonce: int) -> None:
        for byte in frames.pack(Kind.ANSWER, b"\0" * 8, nonce) * 100:
            wire.out(bytes([byte]))
            time.sleep(0.05)

    made = room(None, misbehaving(act))
    made.fails(Outcome.timeout, HASTY)
    assert 0.4 <= made.seconds < 3


def test_a_predictor_that_does_not_read_is_a_timeout(room: Make) -> None:
    """Questions that nobody takes block nothing but their own predictor."""

    def score(predictors: Predictors) -> bytes:
        predictors.open().ask(np.zeros(1 << 21), ONE)
        return b""

    def program(wire: Wire) -> None:
        load(wire)
        time.sleep(1.5)

    made = room(score, program)
    made.fails(Outcome.timeout, HASTY)
    assert made.seconds < 3


def test_many_small_delays_add_up(room: Make) -> None:
    """scoring_seconds are for all answers of a score together."""

    def score(predictors: Predictors) -> bytes:
        predictor = predictors.open()
        for _ in range(100):
            predictor.ask(1.0, ONE)
        return b""

    def slowly(question: float) -> float:
        time.sleep(0.1)
        return question

    made = room(score, answering(slowly))
    made.fails(Outcome.timeout, HASTY)
    assert made.seconds < 4


def test_the_scorers_own_time_is_not_the_predictors(room: Make) -> None:
    """While nothing is asked, the candidate's seconds do not run."""

    def score(predictors: Predictors) -> bytes:
        with predictors.open() as predictor:
            for _ in range(2):
                time.sleep(0.6)
                predictor.ask(1.0, ONE)
        time.sleep(0.6)
        return b"done"

    made = room(score, answering(lambda x: x))
    assert bytes(made.score(Budgets(load=30, scoring=1.0)).payload) == b"done"
    assert made.seconds > 1.8


def test_a_slow_load_is_a_timeout(room: Make) -> None:
    """`load` has seconds of its own, however it spends them."""

    def program(wire: Wire) -> None:
        wire.write(Kind.READY)
        wire.read()
        for _ in range(40):
            wire.err(b"still loading\n")
            time.sleep(0.05)

    made = room(None, program)
    assert "load_seconds (0.4 s)" in made.fails(Outcome.timeout, HASTY)
    assert 0.4 <= made.seconds < 3


def test_a_load_that_says_something_else_failed(room: Make) -> None:
    """Only LOADED is the end of `load`: no other frame, nor garbage, passes for it."""

    def says(data: bytes) -> Program:
        def program(wire: Wire) -> None:
            wire.write(Kind.READY)
            wire.read()
            wire.out(data)
            wire.read()

        return program

    room(None, says(frames.pack(Kind.DONE))).fails(Outcome.crash)
    assert "no frame" in room(None, says(b"LOADED, really!!")).fails(Outcome.invalid)
    assert "at most 0" in room(None, says(frames.pack(Kind.LOADED, b"x"))).fails(Outcome.invalid)


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
