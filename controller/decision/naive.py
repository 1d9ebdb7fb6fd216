"""The rule `naive`: whatever did better in its one trial is kept, luck included.

It is here to be compared with: `make simulate` shows what it keeps.
"""

from controller.decision import (
    Ask,
    Decision,
    Evidence,
    Judgement,
    better,
    has_score,
    incomparable,
    is_finite,
    is_smaller_tie,
    unscored,
)
from sandbox.api import TaskSettings


def judge(found: Evidence, settings: TaskSettings) -> Judgement | Ask:
    """Decide on a candidate by one trial."""
    if not found.candidate:
        return Ask.candidate
    trial = found.candidate[0]
    if not has_score(trial.outcome, trial.score):
        return unscored(trial.outcome)
    if not found.looks:
        return Ask.comparison
    comparison = found.looks[0].comparison
    if comparison is None or not is_finite(comparison):
        return incomparable()
    gain = better(settings) * comparison.difference + 0.0
    kept = gain > 0 or is_smaller_tie(found, comparison)
    return Judgement(
        decision=Decision.kept if kept else Decision.discarded,
        reason=f"Its one trial is {'better' if gain > 0 else 'not better'} by {abs(gain):.6g}.",
        gain=gain,
        standard_error=comparison.standard_error,
    )
