"""What a run came to, for a person who was not there: one page, as HTML or Markdown.

It is the operator's, like the status page: exact scores are in it, and texts of models, which the
two writers make safe.
"""

import math
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from controller.decision import Decision
from controller.diff import diff_of
from controller.ledger import Experiment, Ledger
from controller.report.ablation import Ablation
from controller.runs import PUBLIC_KEY, reading
from controller.status import Status, status_of
from controller.verify import Verified, read_key, verify
from controller.verify.chain import Chain, read_chain
from sandbox.api import Goal

_NORMAL = 1.96
"""Standard errors on each side of a 95 % interval."""


class Kept(Struct, frozen=True, kw_only=True):
    """One kept change. Gains are in the metric's unit, positive is better."""

    number: int
    agent: str
    hypothesis: str
    decided_at: str | None
    reason: str
    score: float | None
    gain: float | None
    """Over the champion before it."""
    low: float | None
    high: float | None
    """Of the gain's 95 % interval: by confirming trials, or else by the examples alone."""
    vault: float | None
    """Score on the second sealed split, where it was asked for."""
    dethroned_by: int | None
    """It was dishonest later, in a trial that this experiment asked for."""
    diff: str | None
    """None: too many lines to compare."""


class Report(Struct, frozen=True, kw_only=True):
    """A run as its report tells it."""

    status: Status
    written_at: str
    kept: list[Kept]
    """After the baseline, in order."""
    gain: float | None
    """The champion's score beside the baseline's; positive is better."""
    percent: float | None
    vault: float | None
    """The champion's score on the second sealed split, and the baseline's."""
    baseline_vault: float | None
    trials: int
    training_seconds: float
    wall_seconds: float
    """Of all trials."""
    verified: Verified | None
    """None: no public key is in the run's folder."""
    ablation: Ablation | None
    """What each kept change is worth in the champion; None: that was not asked for."""


def report_of(folder: Path, ablation: Ablation | None = None) -> Report:
    """Read a run. Raises `NotFound`."""
    status = status_of(folder)
    verified = verify(folder, None) if (folder / PUBLIC_KEY).exists() else None
    with reading(folder) as (ledger, row):
        vaults = {} if verified is None else _vaults(_chain(folder, ledger, row.id))
        experiments, trials = ledger.experiments(), ledger.trial_records()
        kept = [
            _kept(ledger, experiment, vaults.get(experiment.number))
            for experiment in experiments[1:]
            if experiment.decision is Decision.kept
        ]
    gain = percent = None
    if status.best is not None and status.baseline is not None:
        better = -1.0 if status.goal is Goal.minimize else 1.0
        gain = better * (status.best - status.baseline) + 0.0
        percent = 100 * gain / abs(status.baseline) if status.baseline else None
    return Report(
        status=status,
        written_at=datetime.now(UTC).isoformat(timespec="seconds"),
        kept=kept,
        gain=gain,
        percent=percent,
        vault=None if not status.champion else vaults.get(status.champion),
        baseline_vault=vaults.get(0),
        trials=sum(trial.outcome is not None for trial in trials),
        training_seconds=math.fsum(trial.seconds or 0 for trial in trials),
        wall_seconds=math.fsum(trial.wall_seconds or 0 for trial in trials),
        verified=verified,
        ablation=ablation,
    )


def _kept(ledger: Ledger, experiment: Experiment, vault: float | None) -> Kept:
    low, high = experiment.low, experiment.high
    if low is None and experiment.gain is not None and experiment.standard_error:
        low = experiment.gain - _NORMAL * experiment.standard_error
        high = experiment.gain + _NORMAL * experiment.standard_error
    return Kept(
        number=experiment.number,
        agent=experiment.agent,
        hypothesis=experiment.hypothesis,
        decided_at=experiment.decided_at,
        reason=experiment.decision_reason or "",
        score=experiment.score,
        gain=experiment.gain,
        low=low,
        high=high,
        vault=vault,
        dethroned_by=experiment.dethroned_by,
        diff=diff_of(ledger, experiment),
    )


def _chain(folder: Path, ledger: Ledger, run: str) -> Chain:
    return read_chain(ledger.receipts(), read_key(folder / PUBLIC_KEY), run)


def _vaults(chain: Chain) -> dict[int, float]:
    """Vault scores that closing receipts reveal: their means by experiment."""
    revealed = {key: opening for _, c in chain.closings for key, opening in c.vaults.items()}
    scores: dict[int, list[float]] = {}
    for trial in chain.trials:
        if opening := revealed.get(trial.predicate.key):
            scores.setdefault(trial.experiment, []).append(float(opening.value))
    return {experiment: math.fsum(found) / len(found) for experiment, found in scores.items()}
