"""What an agent proposed, made safe to store; it may turn out to be no candidate."""

from controller.candidate import Candidate, Unfit
from controller.ledger import Ledger
from controller.text import printable
from sandbox.api import CANDIDATE_BYTES, Sandbox
from sandbox.errors import BadCandidate

HYPOTHESIS_LETTERS = 4000
REASON_LETTERS = 1000
"""What is kept of a hypothesis, and of the reason why it came to nothing."""


class Fit(Candidate, frozen=True, kw_only=True):
    """A candidate that no experiment has had yet."""

    fingerprint: str
    """See `Sandbox.fingerprint`."""


def checked(proposal: Candidate | Unfit, ledger: Ledger, sandbox: Sandbox) -> Fit | Unfit:
    """The proposal with its text made safe, or why it is refused.

    Whether it is an earlier candidate with other comments, the sandbox is asked, for here nothing
    is parsed that a model wrote. Raises `SandboxError`.
    """
    hypothesis = printable(proposal.hypothesis, HYPOTHESIS_LETTERS) or "(no hypothesis)"
    agent = proposal.agent
    if isinstance(proposal, Unfit):
        reason = proposal.reason
    elif not (reason := _known(proposal.source, ledger)):
        try:
            fingerprint = sandbox.fingerprint(proposal.source)
        except BadCandidate as refused:
            reason = str(refused)
        else:
            earlier = ledger.number_of_fingerprint(fingerprint)
            if earlier is None:
                return Fit(
                    source=proposal.source,
                    hypothesis=hypothesis,
                    agent=agent,
                    fingerprint=fingerprint,
                )
            reason = f"It is experiment {earlier}, but for comments and layout."
    return Unfit(hypothesis=hypothesis, reason=printable(reason, REASON_LETTERS), agent=agent)


def _known(source: str, ledger: Ledger) -> str:
    """What the ledger alone can say against a text; empty if it is new."""
    try:
        size = len(source.encode())
    except UnicodeEncodeError:
        return "The candidate is not UTF-8."
    if size > CANDIDATE_BYTES:
        return f"The candidate has {size} bytes."
    earlier = ledger.number_of(source)
    return "" if earlier is None else f"It is experiment {earlier}, unchanged."
