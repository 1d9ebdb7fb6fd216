"""What proposes candidates; `base` says what every agent is."""

from enum import StrEnum
from pathlib import Path

from controller.agents.base import Agent
from controller.agents.controlled import Controlled
from controller.agents.llm import LLM
from controller.agents.replay import Replay, from_folder, from_run
from controller.agents.search import Search
from controller.errors import Unusable
from controller.llm.caller import Caller
from controller.runs import created, find_run


class Kind(StrEnum):
    """The agents there are."""

    search = "search"
    replay = "replay"
    llm = "llm"


_WITHOUT_A_MODEL = frozenset({Kind.search, Kind.replay})
"""An agent that is not named here counts as one that writes code."""


def model_writes(kind: Kind, source: str | None) -> bool:
    """Whether a model writes the candidates: the agent's own, or that of the run it replays."""
    if kind is Kind.replay and source is not None:
        folder = Path(source)
        if not folder.is_dir():
            return True  # what is gone may have been a model's
        replayed = created(folder)
        if replayed is not None:
            return model_writes(Kind(replayed.agent), replayed.agent_source)
    return kind not in _WITHOUT_A_MODEL


def find_source(name: str) -> str:
    """The folder that a replay takes its candidates from: a folder, or a run by name or path."""
    folder = Path(name)
    if not folder.is_dir() or created(folder) is not None:
        folder = find_run(name)
    return str(folder.resolve())


def make_agent(
    kind: Kind,
    *,
    seed: str,
    train: str,
    source: str | None,
    caller: Caller | None = None,
    control: float | None = None,
) -> Agent:
    """An agent for a task with this train.py. Raises `ControllerError`.

    `caller`: of its models. `control`: share of the experiments that the plain search proposes.
    """
    agent = _alone(kind, seed, train, source, caller)
    if control is None:
        return agent
    if kind is Kind.search:
        raise Unusable("The search is its own control.", "Leave --control out.")
    return Controlled(agent, Search(seed, train), control)


def _alone(kind: Kind, seed: str, train: str, source: str | None, caller: Caller | None) -> Agent:
    if caller is not None:
        if source is not None:
            raise Unusable("A model takes no candidates.", "Leave --from out.")
        return LLM(caller, seed)
    if kind is Kind.search:
        if source is not None:
            raise Unusable("The search takes no candidates.", "Leave --from out.")
        return Search(seed, train)
    if source is None:
        raise Unusable("A replay needs candidates.", "Give --from a folder or another run.")
    folder = Path(source)
    return Replay(from_folder(folder) if created(folder) is None else from_run(folder))
