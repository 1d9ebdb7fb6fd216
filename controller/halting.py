"""When a run stops proposing, and why. Pure: counts in, reason out."""

from msgspec import Struct

from controller.ledger.rows import Halt, Tally

ERRORS_IN_A_ROW = 3
"""Trials that failed by our own fault: going on would burn the agent's proposals."""
REFUSALS_IN_A_ROW = 20
"""Proposals that were no candidates."""
DISHONEST = 5
"""Candidates that an audit caught: an agent that cheats is not to be run all night."""


class Halted(Struct, frozen=True, kw_only=True):
    """The end of a session."""

    halt: Halt
    detail: str


def halted(
    tally: Tally, *, has_champion: bool, most_experiments: int | None, most_hours: float | None
) -> Halted | None:
    """Why no experiment follows, or None. Asked between experiments, after the baseline."""
    if not has_champion:
        return Halted(halt=Halt.baseline, detail="The task's own train.py has no score.")
    if most_experiments is not None and tally.experiments >= most_experiments:
        return Halted(halt=Halt.experiments, detail=f"{most_experiments} experiments are done.")
    if most_hours is not None and tally.seconds >= most_hours * 3600:
        return Halted(halt=Halt.hours, detail=f"{most_hours:g} hours are over.")
    if tally.dishonest >= DISHONEST:
        return Halted(halt=Halt.dishonest, detail=f"{tally.dishonest} candidates were dishonest.")
    if tally.errors_in_a_row >= ERRORS_IN_A_ROW:
        return Halted(
            halt=Halt.errors,
            detail=f"{tally.errors_in_a_row} trials in a row failed by the sandbox's own fault.",
        )
    if tally.refusals_in_a_row >= REFUSALS_IN_A_ROW:
        return Halted(
            halt=Halt.refusals,
            detail=f"{tally.refusals_in_a_row} proposals in a row were no candidates.",
        )
    return None
