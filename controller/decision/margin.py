"""The rule `margin`: kept when the gain over the champion exceeds the task's `min_gain`.

And when no slice of the examples, where the task has slices, lost what is more than noise.
"""

import math

from controller.decision import Decision, Judgement, has_score
from sandbox.api import Comparison, Goal, Outcome, TaskSettings

_ERRORS = 3
"""How many standard errors a slice may lose: more is no noise."""


def judge_baseline(outcome: Outcome | None, score: float | None) -> Judgement:
    """The first champion is the baseline, if it has a score at all."""
    if has_score(outcome, score):
        return Judgement(decision=Decision.kept, reason="The baseline is the first champion.")
    return _unscored(outcome)


def judge(
    outcome: Outcome | None,
    score: float | None,
    comparison: Comparison | None,
    settings: TaskSettings,
) -> Judgement:
    """Decide on a candidate by its trial's outcome and score.

    `comparison` is of the candidate's trial with the champion's, in this order; None: it has no
    score, or the two can't be compared.
    """
    if not has_score(outcome, score):
        return _unscored(outcome)
    if comparison is None or not (
        math.isfinite(comparison.difference) and math.isfinite(comparison.standard_error)
    ):
        return Judgement(
            decision=Decision.discarded, reason="It can't be compared with the champion."
        )
    better = -1.0 if settings.goal is Goal.minimize else 1.0
    gain = better * comparison.difference + 0.0  # so that no gain is 0, never -0
    kept = gain > settings.min_gain
    reason = (
        f"The gain of {gain:.6g} {settings.metric} (standard error "
        f"{comparison.standard_error:.2g}) is {'above' if kept else 'not above'} "
        f"{settings.min_gain:g}."
    )
    for name, found in comparison.slices.items():
        loss = -better * found.difference
        if kept and not loss <= _ERRORS * found.standard_error:
            kept = False
            reason += f" But the slice {name!r} lost {loss:.6g}, over {_ERRORS} standard errors."
    return Judgement(
        decision=Decision.kept if kept else Decision.discarded,
        reason=reason,
        gain=gain,
        standard_error=comparison.standard_error,
    )


def _unscored(outcome: Outcome | None) -> Judgement:
    ended = "without a finite score" if outcome is Outcome.scored else f"as {outcome}"
    return Judgement(decision=Decision.discarded, reason=f"The trial ended {ended}.")
