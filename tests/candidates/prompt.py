"""A prompt by hand: what the labels mean, and an example of either, the negative one last.

The plain question leaves the model too fond of `positive`; a last example that is negative takes
that away. Both examples are plain and say the same thing three times: the model copies, more than
it reads.
"""

from collections.abc import Callable
from pathlib import Path

from prepare import ANSWERS, QUESTION

MEANING = "Reviews are positive if the critic likes the film, and negative if not."
EXAMPLES = (
    ("A warm, funny and moving film that I loved.", 1),
    ("A dull, clumsy and annoying film that I hated.", 0),
)


def train(data: Path, artifact: Path, seed: int, seconds: float) -> None:
    """Nothing is learnt from the data."""


def load(artifact: Path) -> Callable[[object], str]:
    """A function from any question to the prompt."""
    parts = [MEANING, *(QUESTION.format(text) + ANSWERS[label] for text, label in EXAMPLES)]
    return lambda question: "\n\n".join(parts)
