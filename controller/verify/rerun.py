"""Whether a claimed gain holds: champion and baseline are trained again, with fresh seeds.

The champion's score was the best of many and had its luck; these trials have none. They are of no
run, so they leave no receipt, and the two take turns, so that what slows the machine slows both.
"""

import secrets
from enum import StrEnum
from pathlib import Path

from msgspec import Struct

from controller.decision.interval import half_width
from controller.errors import Failed, Unusable
from controller.runs import files_of, reading
from controller.trial import run_trial
from sandbox.api import Goal, OnProgress, Outcome, Sandbox, TrialRequest


class Claim(StrEnum):
    """What became of a claimed gain."""

    holds = "holds"
    """The interval is above zero."""
    refuted = "refuted"
    """The interval has zero in it or is below, and what was claimed is above it."""
    undecided = "undecided"
    """The interval has both zero and what was claimed in it: more trials tell."""


class Rerun(Struct, frozen=True, kw_only=True):
    """Champion against baseline; gains in the metric's unit, positive is better."""

    claim: Claim
    champion: int
    metric: str
    claimed: float
    """By the scores of the run."""
    trials: int
    """Of each of the two."""
    gain: float
    low: float
    high: float
    """The 95 % interval of the gain, from the spread between seeds and between examples."""


def rerun(folder: Path, sandbox: Sandbox, trials: int, on_progress: OnProgress) -> Rerun:
    """Train champion and baseline `trials` times each.

    Raises `Unusable` where nothing is claimed, `Failed` where a trial has no score, and what the
    sandbox raises.
    """
    with reading(folder) as (ledger, row):
        champion, baseline = ledger.champion(), ledger.experiment(0)
        if champion is None or champion.number == 0:
            raise Unusable(f"{folder.name} claims no gain: nothing was kept.", "")
        texts = {"champion": ledger.candidate(champion.number), "baseline": ledger.candidate(0)}
    task = sandbox.prepare(files_of(folder), on_progress)
    sandbox.verify(task.hash, on_progress)
    name, scores = secrets.token_hex(8), dict[str, list[float]](champion=[], baseline=[])
    keys = dict[str, list[str]](champion=[], baseline=[])
    for number in range(1, trials + 1):
        for who, text in texts.items():
            request = TrialRequest(
                key=f"rerun-{name}-{who}-{number}", task=task.hash, candidate=text
            )
            result = run_trial(sandbox, request, on_progress)
            if result.outcome is not Outcome.scored or result.score is None:
                raise Failed(
                    f"The {who}'s trial {number} ended as {result.outcome}: {result.reason}",
                    "A gain that comes with failures is none; look at the candidate.",
                )
            scores[who].append(result.score)
            keys[who].append(request.key)
    better = -1.0 if row.settings.goal is Goal.minimize else 1.0
    compared = sandbox.compare(keys["champion"], keys["baseline"])
    gain = better * compared.difference + 0.0
    width = half_width(compared.standard_error, scores["champion"], scores["baseline"])
    claimed = better * ((champion.score or 0.0) - (baseline.score or 0.0))
    return Rerun(
        claim=_claim(claimed, gain - width, gain + width),
        champion=champion.number,
        metric=row.settings.metric,
        claimed=claimed,
        trials=trials,
        gain=gain,
        low=gain - width,
        high=gain + width,
    )


def _claim(claimed: float, low: float, high: float) -> Claim:
    if low > 0:
        return Claim.holds
    return Claim.refuted if high <= 0 or high < claimed else Claim.undecided
