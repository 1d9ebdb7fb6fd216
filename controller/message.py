"""The text of an experiment's commit, made so that nothing a model wrote can pass for a trailer.

The subject begins with the experiment's number, every line of the hypothesis with `> `, and the
harness's trailers are the last paragraph, where git looks for them. Figures are those that an
agent may read: the repository is an agent's to clone.
"""

from controller.text import one_line, printable
from controller.visible import Seen

_SUBJECT_LETTERS = 72
_QUOTE_LETTERS = 4000


def commit_message(seen: Seen, *, run: str, agent: str, metric: str) -> str:
    """Subject, quoted hypothesis, trailers; ends with a line break."""
    quote = printable(seen.hypothesis, _QUOTE_LETTERS).split("\n")
    trailers = {
        "Run": run,
        "Experiment": seen.number,
        "Agent": agent,
        "Outcome": seen.outcome,
        "Score": "none" if seen.score is None else f"{seen.score:.12g} {metric}",
        "Decision": seen.decision,
    }
    return "\n".join(
        [
            one_line(f"{seen.number}: {seen.hypothesis}", _SUBJECT_LETTERS),
            "",
            *(f"> {line}".rstrip() for line in quote),
            "",
            *(f"Sealed-{name}: {value}" for name, value in trailers.items()),
            "",
        ]
    )
