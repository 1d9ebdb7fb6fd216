"""What becomes of a candidate: pure functions, no clock, no database, no sandbox.

A rule takes outcomes and comparisons and gives a `Judgement`. A score that is missing, NaN or
infinite is no score under any rule.
"""

import math
from enum import StrEnum

from msgspec import Struct

from sandbox.api import Outcome


class Decision(StrEnum):
    """What became of a candidate."""

    kept = "kept"
    discarded = "discarded"


class Judgement(Struct, frozen=True, kw_only=True):
    """A decision and what it rests on. `reason` has figures: it is for the operator alone."""

    decision: Decision
    reason: str
    gain: float | None = None
    """How much better than the champion, in the metric's unit; negative is worse."""
    standard_error: float | None = None
    """Of the gain."""


def has_score(outcome: Outcome | None, score: float | None) -> bool:
    """Whether a trial came to a number that can be compared."""
    return outcome is Outcome.scored and score is not None and math.isfinite(score)
