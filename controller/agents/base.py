"""What every agent is: something that reads a `View` and proposes a candidate.

An agent keeps no state that matters. Asked again with the same view, after a crash or a year
later, it may propose something else, but needs nothing that is not in the view.
"""

from typing import Protocol

from msgspec import Struct

from controller.halting import Halted
from controller.visible import View


class Candidate(Struct, frozen=True, kw_only=True):
    """A version of train.py and why it may be better. Both are untrusted text."""

    source: str
    hypothesis: str
    agent: str | None = None
    """Who of several proposed it; None: the agent itself."""


class Unfit(Struct, frozen=True, kw_only=True):
    """A proposal that is no candidate. It is counted, but is no experiment."""

    hypothesis: str
    reason: str
    agent: str | None = None
    """As a candidate's."""


class Agent(Protocol):
    """Proposes candidates."""

    @property
    def name(self) -> str:
        """What the ledger calls it."""
        ...

    def propose(self, view: View) -> Candidate | Unfit | Halted | None:
        """The next proposal; None: there will be no more; `Halted`: none now, and why."""
        ...
