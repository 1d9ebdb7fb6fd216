"""What verifying finds."""

from msgspec import Struct


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that is not as it should be."""

    problem: str
    receipt: int | None = None
    """The line of the chain, from 0."""
    experiment: int | None = None
