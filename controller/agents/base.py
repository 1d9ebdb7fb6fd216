"""What every agent is: something that reads a `View` and proposes a candidate.

An agent keeps no state that matters. Asked again with the same view, after a crash or a year
later, it may propose something else, but needs nothing that is not in the view.
"""

from typing import Protocol

from controller.candidate import Candidate, Unfit
from controller.halting import Halted
from controller.visible import View


class Agent(Protocol):
    """Proposes candidates."""

    @property
    def name(self) -> str:
        """What the ledger calls it."""
        ...

    def propose(self, view: View) -> Candidate | Unfit | Halted | None:
        """The next proposal; None: there will be no more; `Halted`: none now, and why."""
        ...
