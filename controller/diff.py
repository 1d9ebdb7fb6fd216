"""What a candidate changed."""

import difflib

from controller.ledger import Experiment, Ledger

MOST_LINES = 3000
"""Of a candidate. Comparing longer ones can take minutes, and who proposes chooses the lines."""


def diff_of(ledger: Ledger, experiment: Experiment) -> str | None:
    """A unified diff from the champion that the candidate was made from; text of models in it.

    None for texts above `MOST_LINES`.
    """
    after = ledger.candidate(experiment.number)
    before = "" if experiment.parent is None else ledger.candidate(experiment.parent)
    if max(len(before.splitlines()), len(after.splitlines())) > MOST_LINES:
        return None
    parent = "nothing" if experiment.parent is None else f"experiment {experiment.parent}"
    return "\n".join(
        difflib.unified_diff(
            before.splitlines(),
            after.splitlines(),
            f"train.py of {parent}",
            f"train.py of experiment {experiment.number}",
            lineterm="",
        )
    )
