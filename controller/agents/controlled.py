"""A control arm: a share of the experiments is the plain search's, whoever proposes the others.

What an agent adds is told by comparison: the search starts from the same champion, at the same
time of the run, under the same rule. Whose turn it is follows from the view alone.
"""

from contextlib import suppress
from operator import attrgetter

from msgspec.structs import replace

from controller.agents.base import Agent
from controller.candidate import Candidate, Unfit
from controller.errors import Unusable
from controller.halting import Halted
from controller.remembered import Remembered
from controller.visible import View


class Controlled:
    """Proposes what its agent proposes, and now and then what the control does."""

    def __init__(self, agent: Agent, control: Agent, share: float) -> None:
        """`share` of the experiments, above 0 and below 1, is the control's."""
        self.name = agent.name
        self._agent = agent
        self._control = control
        self._share = share
        self._agents = Remembered(attrgetter("agent"))

    def propose(self, view: View) -> Candidate | Unfit | Halted | None:
        """The next proposal; the agent's too where the control has none."""
        agents = self._agents.of(view)[1:]
        if agents.count(self._control.name) + 1 <= self._share * (len(agents) + 1):
            with suppress(Unusable):  # a champion whose marks the agent has spoilt
                found = self._control.propose(view)
                if isinstance(found, Candidate):
                    return replace(found, agent=self._control.name)
        return self._agent.propose(view)
