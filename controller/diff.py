"""What a candidate changed."""

import difflib

from controller.ledger import Experiment, Ledger


def diff_of(ledger: Ledger, experiment: Experiment) -> str:
    """A unified diff from the champion that the candidate was made from; text of models in it."""
    after = ledger.candidate(experiment.number)
    before = "" if experiment.parent is None else ledger.candidate(experiment.parent)
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
