"""What is said to a model and what comes back, as values: no file here speaks to a provider."""

from enum import StrEnum

from msgspec import Struct


class Role(StrEnum):
    """Who says a message, by the names of the chat API."""

    system = "system"
    user = "user"
    assistant = "assistant"


class Message(Struct, frozen=True, kw_only=True):
    """One message of a prompt."""

    role: Role
    content: str


class Repair(Struct, frozen=True, kw_only=True):
    """A reply that could not be applied; the next call asks for a better one."""

    reply: str
    """The model's own words, cut: untrusted text."""
    reason: str
    """Exactly why, for the model to read. It may quote the reply, so it is untrusted too."""


class Standing(Struct, frozen=True, kw_only=True):
    """How much is left when a model is asked, and what went wrong since the last proposal.

    What is left is None where there is no limit, and never below zero.
    """

    seconds_left: float | None = None
    """Of the run."""
    experiments_left: int | None = None
    dollars_left: float | None = None
    """The smaller one of run and day, as for tokens and calls."""
    tokens_left: int | None = None
    calls_left: int | None = None
    repairs: tuple[Repair, ...] = ()
    """Turns so far about this one proposal, the oldest first; bounded by the agent."""
    pending: str = ""
    """The hypothesis of the candidate that is on trial meanwhile: untrusted text; "": none is."""
