"""When a run stops proposing, and why. Pure: counts in, reason out."""

from datetime import datetime, timedelta

from msgspec import Struct

from controller.ledger.rows import Cost, Halt, RunLimits, Spending, Tally, Wanted

ERRORS_IN_A_ROW = 3
"""Trials that failed by our own fault: going on would burn the agent's proposals."""
REFUSALS_IN_A_ROW = 50
"""Proposals that were no candidates: a small model may need many, and what they cost has limits."""
DISHONEST = 5
"""Candidates that an audit caught: an agent that cheats is not to be run all night."""
PASSING = frozenset({Halt.day, Halt.provider})
"""What is over by itself: the process stays, and goes on."""
FREE_BYTES = 256 * 2**20
"""Free space that ledger and repository must have: a full disk must not meet them in a commit."""


class Halted(Struct, frozen=True, kw_only=True):
    """The end of a session."""

    halt: Halt
    detail: str
    wait_seconds: float | None = None
    """It goes on by itself after so long; None: not by itself."""


def is_full(free_bytes: int) -> bool:
    """Whether a run waits for space; what can't be written then is the disk's doing."""
    return free_bytes < FREE_BYTES


def held(wanted: Wanted) -> Halted | None:
    """Whether a person holds the run. Asked before each trial."""
    if wanted is Wanted.stopped:
        return Halted(halt=Halt.stopped, detail="A person stopped it.")
    if wanted is Wanted.paused:
        return Halted(halt=Halt.paused, detail="A person paused it.")
    return None


def halted(
    tally: Tally, limits: RunLimits, *, has_champion: bool, free_bytes: int
) -> Halted | None:
    """Why no experiment follows, or None. Asked between experiments, after the baseline."""
    if is_full(free_bytes):
        return Halted(
            halt=Halt.disk,
            detail=f"Only {free_bytes // 2**20} MiB are free where the run is stored.",
        )
    if not has_champion:
        return Halted(halt=Halt.baseline, detail="The task's own train.py has no score.")
    if (most := limits.most_experiments) is not None and tally.experiments >= most:
        return Halted(halt=Halt.experiments, detail=f"{most} experiments are done.")
    if (hours := limits.most_hours) is not None and tally.seconds >= hours * 3600:
        return Halted(halt=Halt.hours, detail=f"{hours:g} hours are over.")
    if (hours := limits.most_hours_a_day) is not None and tally.seconds_today >= hours * 3600:
        return Halted(halt=Halt.day, detail=f"{hours:g} hours of this day (UTC) are over.")
    if limits.plateau is not None and tally.since_kept >= limits.plateau:
        return Halted(
            halt=Halt.plateau, detail=f"None of the last {tally.since_kept} experiments was kept."
        )
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


def is_last(tally: Tally, limits: RunLimits) -> bool:
    """Whether the next experiment is the last one that its limit allows."""
    most = limits.most_experiments
    return most is not None and tally.experiments + 1 >= most


def unaffordable(spent: Spending, today: Spending, most: Cost, limits: RunLimits) -> Halted | None:
    """Why a call that can cost so much is not made, or None. Asked before each call."""
    tokens = most.prompt_tokens + most.completion_tokens
    for halt, used, of_today, cost, whole, daily in (
        (Halt.calls, spent.calls, today.calls, 1, limits.most_calls, limits.most_calls_a_day),
        (
            Halt.tokens,
            spent.tokens,
            today.tokens,
            tokens,
            limits.most_tokens,
            limits.most_tokens_a_day,
        ),
        (
            Halt.dollars,
            spent.dollars,
            today.dollars,
            most.nanodollars / 1e9,
            limits.most_dollars,
            limits.most_dollars_a_day,
        ),
    ):
        if whole is not None and used + cost > whole:
            return Halted(halt=halt, detail=_beyond(used, whole, halt, cost))
        if daily is not None and of_today + cost > daily:
            detail = f"Today (UTC): {_beyond(of_today, daily, halt, cost)}"
            return Halted(halt=Halt.day, detail=detail)
    return None


def seconds_to_wait(end: Halted, now: datetime) -> float:
    """Until a halt of `PASSING` is over: what it says, or the rest of the day (UTC)."""
    if end.wait_seconds is not None:
        return end.wait_seconds
    tomorrow = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return (tomorrow - now).total_seconds()


def _beyond(used: float, limit: float, unit: Halt, cost: float) -> str:
    more = "" if unit is Halt.calls else f", and the next call may take {cost:.6g}"
    return f"{used:.6g} of {limit:g} {unit} are spent{more}."
