"""A prompt by hand: what the labels mean, and one example that says what a bored critic says.

The model is fond of `positive`, and of the answer that it has read last: a single negative example
takes both away.
"""

from collections.abc import Callable
from pathlib import Path

from prepare import ANSWERS, QUESTION

MEANING = "Reviews are positive if the critic likes the film, and negative if not."
EXAMPLE = QUESTION.format("It is dull and far too long.") + ANSWERS[0]


def train(data: Path, artifact: Path, seed: int, seconds: float) -> None:
    """Nothing is learnt from the data."""


def load(artifact: Path) -> Callable[[object], str]:
    """A function from any question to the prompt."""
    return lambda question: f"{MEANING}\n\n{EXAMPLE}"
