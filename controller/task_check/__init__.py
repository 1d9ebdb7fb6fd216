"""Is a task fit for a loop? A few trials of its baseline and of answers that know nothing.

`measure` runs the trials, `findings` makes sense of them, `knows_nothing` is the candidate whose
answers are constant, random, or an echo of the question.
"""

from controller.task_check.findings import findings
from controller.task_check.measure import Measured, measure, trials

__all__ = ["Measured", "findings", "measure", "trials"]
