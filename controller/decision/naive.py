"""The rule `naive`: whatever did better in its one trial is kept, luck included.

It is here to be compared with: `make simulate` shows what it keeps.
"""

from controller.decision import (
    Ask,
    Decision,
    Evidence,
    Judgement,
    better,
    by_one_trial,
    is_smaller_tie,
)
from sandbox.api import Comparison, TaskSettings


def judge(found: Evidence, settings: TaskSettings) -> Judgement | Ask:
    """Decide on a candidate by one trial."""
    comparison = by_one_trial(found)
    if not isinstance(comparison, Comparison):
        return comparison
    gain = better(settings) * comparison.difference + 0.0
    kept = gain > 0 or is_smaller_tie(found, comparison)
    return Judgement(
        decision=Decision.kept if kept else Decision.discarded,
        reason=f"Its one trial is {'better' if gain > 0 else 'not better'} by {abs(gain):.6g}.",
        gain=gain,
        standard_error=comparison.standard_error,
    )
