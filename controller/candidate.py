"""What an agent proposes: a candidate, or what was to be one. All of its text is untrusted."""

from msgspec import Struct


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
