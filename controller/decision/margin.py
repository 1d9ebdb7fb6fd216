"""The rule `margin`: kept when the gain over the champion exceeds the task's `min_gain`.

And when no slice of the examples, where the task has slices, lost what is more than noise. One
trial decides: for scores that do not depend on luck, or where `min_gain` is far beyond it.
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
from controller.decision.slices import lost_slice
from sandbox.api import Comparison, TaskSettings


def judge(found: Evidence, settings: TaskSettings) -> Judgement | Ask:
    """Decide on a candidate by one trial."""
    comparison = by_one_trial(found)
    if not isinstance(comparison, Comparison):
        return comparison
    sign = better(settings)
    gain = sign * comparison.difference + 0.0  # so that no gain is 0, never -0
    kept = gain > settings.min_gain
    reason = (
        f"The gain of {gain:.6g} {settings.metric} (standard error "
        f"{comparison.standard_error:.2g}) is {'above' if kept else 'not above'} "
        f"{settings.min_gain:g}."
    )
    if not kept and is_smaller_tie(found, comparison):
        kept, reason = True, "It does exactly as the champion, and is the smaller program."
    if kept and (lost := lost_slice(comparison, sign, 0.0)):
        kept, reason = False, f"{reason} But {lost}"
    return Judgement(
        decision=Decision.kept if kept else Decision.discarded,
        reason=reason,
        gain=gain,
        standard_error=comparison.standard_error,
    )
