"""Killed at every state of an experiment, whoever it is: nothing is lost, doubled, or left."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from controller.decision import Decision
from controller.ledger import State
from sandbox.api import Outcome, Stage
from sandbox.engine import Engine
from tests.support.own_engine import own_engine
from tests.support.walk import BUDGET_SECONDS, POINTS, Walk
from tests.support.walked import WITHOUT_AGENT_CODE

pytestmark = [
    pytest.mark.docker,
    pytest.mark.timeout(1200),
    # httpcore forgets a socket whose connect was refused; its last reference closes it at once.
    pytest.mark.filterwarnings("ignore:unclosed <socket.* family=1,:ResourceWarning"),
]

Kill = tuple[State | Stage, tuple[str, ...]]
"""Where, and whom."""

CONTROLLER, SANDBOX, ENGINE = ("controller",), ("sandbox",), ("engine",)
BOTH, ALL = ("controller", "sandbox"), ("controller", "sandbox", "engine")
ONCE_EACH: list[Kill] = list(
    zip(POINTS, itertools.cycle([CONTROLLER, BOTH, SANDBOX]), strict=False)
)
BY_THE_ENGINE: list[Kill] = [(Stage.training, ALL), (Stage.scoring, ENGINE)]
VICTIMS = [CONTROLLER, SANDBOX, BOTH, ENGINE, ALL]


@pytest.fixture
def make_walk(
    engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[bool, int], Walk]]:
    """A walk on the engine that is there, or on one of its own that it may kill."""
    with ExitStack() as stack:

        def make(kills_engine: bool, kills: int) -> Walk:
            folder: Path = tmp_path_factory.mktemp("w")
            if kills_engine:
                (folder / "engine").mkdir()
                own = stack.enter_context(own_engine(folder / "engine"))
                walk = Walk(folder, Engine(own.url), own, kills)
            else:
                walk = Walk(folder, engine, None, kills)
            stack.callback(walk.clear)
            return walk

        yield make


def walk_through(walk: Walk, kills: list[Kill]) -> None:
    """An experiment for each kill; the baseline is nobody's."""
    walk.want(kills[0][0], 1)
    walk.start("sandbox", "controller")
    for number, (point, victims) in enumerate(kills, 1):
        walk.reached()
        walk.kill(*victims)
        # Before it goes on: the next experiment may follow at once.
        if number < len(kills):
            walk.want(kills[number][0], number + 1)
        else:
            walk.go_on()
        if point is Stage.training and "sandbox" in victims:
            # Whoever is dead: the kernel ends agent code at the budget, before anyone is back.
            walk.until_budget_ends()
        walk.start(*reversed(victims))
        walk.until(lambda number=number: walk.recorded(number), f"{point}, {victims}")  # type: ignore[misc]


def check(walk: Walk, kills: list[Kill]) -> None:
    """Ledger, repository and sandbox tell one story, and nothing else is there."""
    experiments, records = walk.experiments(), walk.records()
    assert [e.number for e in experiments] == list(range(len(kills) + 1))
    assert {e.state for e in experiments} == {State.recorded}
    assert not [(e.number, e.trial_reason) for e in experiments if e.outcome is not Outcome.scored]
    assert {e.trial_key for e in experiments} == set(records)
    commits, main = walk.commits()
    assert commits == {e.number: e.commit_id for e in experiments}
    assert main == [e for e in experiments if e.decision is Decision.kept][-1].commit_id
    for experiment in experiments:
        assert experiment.trial_key is not None
        record = records[experiment.trial_key]
        assert record["result"]["score"] == experiment.score
        assert record["result"]["seconds"] <= BUDGET_SECONDS
        if experiment.trial_key in walk.seeds:
            assert record["seed"] == walk.seeds[experiment.trial_key]
    for number, (point, victims) in enumerate(kills, 1):
        attempts = records[str(experiments[number].trial_key)]["result"]["attempts"]
        # What was cut off after the candidate was let go counts; a controller's death cuts nothing.
        cut = isinstance(point, Stage) and point not in WITHOUT_AGENT_CODE and victims != CONTROLLER
        assert attempts == 1 + cut or (ENGINE[0] in victims and attempts <= 2), (point, victims)
    assert walk.outlived or not any("sandbox" in victims for _, victims in kills)
    walk.end()
    assert not any(walk.left().values()), walk.left()


def test_the_walk_is_through_every_state_of_the_code() -> None:
    """Of the ledger's states and a trial's stages none is left out, in the short form neither."""
    assert {point for point, _ in ONCE_EACH} == set(POINTS)
    assert set(State) < set(POINTS)
    assert {victims for _, victims in ONCE_EACH} == {CONTROLLER, SANDBOX, BOTH}


@pytest.mark.claim("kills-lose-nothing")
def test_killed_at_every_state(make_walk: Callable[[bool, int], Walk]) -> None:
    """Controller, sandbox, or both, each state once."""
    walk = make_walk(False, len(ONCE_EACH))
    walk_through(walk, ONCE_EACH)
    check(walk, ONCE_EACH)


@pytest.mark.slow
@pytest.mark.claim("kills-lose-nothing")
def test_the_engine_is_killed_too(make_walk: Callable[[bool, int], Walk]) -> None:
    """With all others in a training, alone in a scoring; the run goes on when it is back."""
    walk = make_walk(True, len(BY_THE_ENGINE))
    walk_through(walk, BY_THE_ENGINE)
    check(walk, BY_THE_ENGINE)


@pytest.mark.slow
@pytest.mark.parametrize("victims", VICTIMS, ids=" and ".join)
def test_killed_at_every_state_by_every_death(
    make_walk: Callable[[bool, int], Walk], victims: tuple[str, ...]
) -> None:
    """Each state, each victim."""
    kills: list[Kill] = [(point, victims) for point in POINTS]
    walk = make_walk("engine" in victims, len(kills))
    walk_through(walk, kills)
    check(walk, kills)
