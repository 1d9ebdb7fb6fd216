"""One scorer, its predictors and the relay between them, all played by threads."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from sandbox import limits
from sandbox.api import Outcome
from sandbox.containers.container import RoleContainer
from sandbox.containers.streams import Frame
from sandbox.containers.uids import UidPairs
from sandbox.policy import Order, Role, Volumes
from sandbox.trials.relay import Budgets, CandidateFailed, Relay, ScorerFailed
from sandbox.trials.transcript import Transcript
from sealed_task import Array, Predictors
from tests.support.played import PlayedEngine, Program, Wire, load

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
        self.transcript = Transcript()
        self.relay = Relay(
            self.scorer,
            lambda baseline: self._start(Role.predictor, 0),
            lambda baseline: b"the baseline" if baseline else b"the candidate",
            budgets,
            wake,
            self.transcript,
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
