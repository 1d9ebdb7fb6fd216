"""What an agent proposed, made safe to store; it may turn out to be no candidate."""

from controller.agents.base import Candidate, Unfit
from controller.ledger import Ledger
from controller.text import printable
from sandbox.api import CANDIDATE_BYTES

HYPOTHESIS_LETTERS = 4000
REASON_LETTERS = 1000
"""What is kept of a hypothesis, and of the reason why it came to nothing."""


def checked(proposal: Candidate | Unfit, ledger: Ledger) -> Candidate | Unfit:
    """The proposal with its text made safe, or why it is refused.

    Only what the ledger needs is looked at here: what a candidate must be, the sandbox knows.
    """
    hypothesis = printable(proposal.hypothesis, HYPOTHESIS_LETTERS) or "(no hypothesis)"
    if isinstance(proposal, Unfit):
        return Unfit(hypothesis=hypothesis, reason=printable(proposal.reason, REASON_LETTERS))
    try:
        size = len(proposal.source.encode())
    except UnicodeEncodeError:
        return Unfit(hypothesis=hypothesis, reason="The candidate is not UTF-8.")
    if size > CANDIDATE_BYTES:
        return Unfit(hypothesis=hypothesis, reason=f"The candidate has {size} bytes.")
    if (earlier := ledger.number_of(proposal.source)) is not None:
        return Unfit(hypothesis=hypothesis, reason=f"It is experiment {earlier}, unchanged.")
    return Candidate(source=proposal.source, hypothesis=hypothesis)
