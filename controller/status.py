"""How a run stands, in one structure: for the command line and the page."""

from pathlib import Path

from msgspec import Struct

from controller.halting import PASSING
from controller.ledger import (
    Accepted,
    Halt,
    Ledger,
    Model,
    Now,
    Refusal,
    RunLimits,
    State,
    Wanted,
)
from controller.proposers import Proposer, proposers
from controller.runs import is_driven, reading
from controller.vault import Gap, vault_gap
from sandbox.api import Goal, Outcome


class Limit(Struct, frozen=True, kw_only=True):
    """How far one limit of what models cost is."""

    unit: Halt
    """dollars, tokens or calls."""
    used: float
    """What is reserved for calls that are not over included."""
    most: float | None
    today: float
    """Of UTC."""
    most_a_day: float | None


class NoiseFloor(Struct, frozen=True, kw_only=True):
    """The standard deviation of the baseline's score between seeds, in the metric's unit."""

    deviation: float
    low: float
    """Of its 95 % interval."""
    high: float
    trials: int


class Status(Struct, frozen=True, kw_only=True):
    """How a run stands. `driven`: a process is at work on it; else `halt` says why it ended.

    It is the operator's: exact scores are in it, so it is for no agent.
    """

    run: str
    task: str
    metric: str
    goal: Goal
    agent: str
    driven: bool
    halt: Halt | None
    """None: at work, or killed."""
    halt_detail: str | None
    baseline: float | None
    best: float | None
    champion: int | None
    experiments: int
    """After the baseline, finished ones."""
    kept: int
    """Those that were dethroned not included."""
    dethroned: int
    """Kept, and later dishonest in a trial as champion."""
    refused: int
    """Proposals that were no candidates."""
    last_refusal: Refusal | None
    outcomes: dict[Outcome, int]
    current: int | None
    """The experiment that is not finished."""
    state: State | None
    """How far it has come."""
    seconds: float
    """Of all sessions, up to the ledger's last change."""
    limits: RunLimits
    waits_for: str | None
    """Why it waits, driven, for what is over by itself: a provider that is down, the next day."""
    models: list[Model]
    """What the agent llm asks."""
    costs: list[Limit]
    """Of the models; empty without one."""
    proposers: list[Proposer]
    """What each has added."""
    accepted: list[Accepted]
    """Findings of the doctor that a person ran in spite of."""
    wanted: Wanted
    """What a person wants of it."""
    now: Now | None
    """What is being done, while it is driven."""
    noise: NoiseFloor | None
    """How much the baseline's score depends on its seed; None: not measured."""
    vault: Gap | None
    """The champion's gain, checked on the split that decides nothing; None: not asked."""
    created_at: str


def noise_floor(ledger: Ledger) -> NoiseFloor | None:
    """Of a run's baseline, once it has more trials than one."""
    noise = ledger.noise_floor()
    if noise is None:
        return None
    low, high = noise.interval()
    return NoiseFloor(deviation=noise.deviation, low=low, high=high, trials=noise.degrees + 1)


def status_of(folder: Path) -> Status:
    """How the run in a folder stands. Raises `NotFound`."""
    driven = is_driven(folder)
    with reading(folder) as (ledger, row):
        tally, champion, unfinished = ledger.tally(), ledger.champion(), ledger.unfinished()
        last, models = next(reversed(ledger.sessions()), None), ledger.models()
        return Status(
            run=folder.name,
            task=row.task_name,
            metric=row.settings.metric,
            goal=row.settings.goal,
            agent=row.agent,
            driven=driven,
            halt=None if driven or last is None else last.halt,
            halt_detail=None if driven or last is None else last.detail,
            baseline=ledger.experiment(0).score,
            best=None if champion is None else champion.score,
            champion=None if champion is None else champion.number,
            experiments=tally.experiments,
            kept=tally.kept,
            dethroned=tally.dethroned,
            refused=tally.refused,
            last_refusal=next(reversed(ledger.refusals()), None),
            outcomes=ledger.outcomes(),
            current=None if unfinished is None else unfinished.number,
            state=None if unfinished is None else unfinished.state,
            seconds=tally.seconds,
            limits=row.limits,
            waits_for=last.detail if driven and last and last.halt in PASSING else None,
            models=models,
            costs=_costs(ledger, row.limits) if models else [],
            proposers=proposers(
                ledger.recorded_by_agent(),
                ledger.kept(),
                ledger.refused_by_agent(),
                ledger.spent(),
            ),
            accepted=ledger.accepted(),
            wanted=ledger.wanted(),
            now=ledger.now() if driven else None,
            noise=noise_floor(ledger),
            vault=vault_gap(ledger, row),
            created_at=row.created_at,
        )


def _costs(ledger: Ledger, limits: RunLimits) -> list[Limit]:
    spent, today = ledger.spending(), ledger.spending(today=True)
    return [
        Limit(unit=unit, used=used, most=most, today=of_today, most_a_day=daily)
        for unit, used, most, of_today, daily in (
            (
                Halt.dollars,
                spent.dollars,
                limits.most_dollars,
                today.dollars,
                limits.most_dollars_a_day,
            ),
            (Halt.tokens, spent.tokens, limits.most_tokens, today.tokens, limits.most_tokens_a_day),
            (Halt.calls, spent.calls, limits.most_calls, today.calls, limits.most_calls_a_day),
        )
    ]
