"""A control arm beside an agent."""

from pathlib import Path

import pytest

from controller.agents import Kind, make_agent
from controller.agents.controlled import Controlled
from controller.agents.search import Search
from controller.candidate import Candidate
from controller.errors import Unusable
from tests.unit.command import Sealed
from tests.unit.toy import TRAIN, Scripted, candidates, drive, fake, opened


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of a test are its own."""
    monkeypatch.setenv("SEALED_RUNS", str(tmp_path / "runs"))


def test_the_search_has_its_share() -> None:
    """Of twenty experiments one in five, and the ledger says whose each was."""
    sandbox = fake()
    agent = Controlled(Scripted(*candidates(*[3.0] * 30)), Search("seed", TRAIN), 0.2)
    with opened(sandbox, most_experiments=20) as run:
        drive(run, sandbox, agent)
        agents = [experiment.agent for experiment in run.ledger.experiments()][1:]
    assert agents.count("search") == 4
    assert agents.count("scripted") == 16
    assert agents[4] == agents[9] == "search"


@pytest.mark.parametrize("mark", ["", "  # search: nonsense"])
def test_where_the_search_has_nothing_the_agent_goes_on(mark: str) -> None:
    """A champion without marks, or with spoilt ones, stops neither the run nor the agent."""
    sandbox = fake()
    spoilt = Candidate(source=f"RATE = 1{mark}\n# fake: score=0.1\n", hypothesis="")
    agent = Controlled(Scripted(spoilt, *candidates(*[3.0] * 9)[1:]), Search("seed", TRAIN), 0.5)
    with opened(sandbox, most_experiments=6) as run:
        drive(run, sandbox, agent)
        agents = [experiment.agent for experiment in run.ledger.experiments()][1:]
    assert agents == ["scripted"] * 6


def test_the_search_is_its_own_control() -> None:
    """It is told before anything is run."""
    with pytest.raises(Unusable, match="own control"):
        make_agent(Kind.search, seed="", train=TRAIN, source=None, control=0.2)


def test_a_share_is_asked_for_by_name(sealed: Sealed) -> None:
    """`--control search=0.5`: status tells each one's part; another share is another run."""
    folder = Path("mine")
    folder.mkdir()
    for number in range(2):
        (folder / f"{number}.py").write_text(f"{TRAIN}n = {number}\n# fake: score=0.{9 - number}\n")
    replay = ("run", "toy", "--agent", "replay", "--from", "mine")
    for wrong in ("0.5", "search=2", "llm=0.5", "search=nan"):
        assert "no share" in sealed(*replay, "--control", wrong, code=2).output
    sealed(*replay, "--control", "search=0.5", "--experiments", "4")
    told = sealed("status").output
    assert "by replay:   2 of 2 kept, gain 0.3 bits (too few for an interval)\n" in told
    assert "by search:   0 of 2 kept, gain 0 bits\n" in told
    again = sealed(*replay, "--name", "toy-1", "--control", "search=0.2", code=2)
    assert "began with search=0.5" in again.output
