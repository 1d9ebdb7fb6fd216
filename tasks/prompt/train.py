"""Writes a prompt for a small language model: the file to improve.

An instruction, and then examples, laid out as the scorer lays out its questions: some out of the
training texts, and then some of our own. There is no model here to try them on: the score says what
a prompt was worth.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path

from prepare import ANSWERS, PROMPT_BYTES, QUESTION

WORDING = "meaning"  # search: choice meaning question heading none
OWN = "short"  # search: choice short long
SHOWN = "negative"  # search: choice negative both positive none
EXAMPLES = 0  # search: choice 0 1 2 4 6
LAST = "negative"  # search: choice negative positive
LENGTH = 60  # search: int 20 100

INSTRUCTIONS = {
    "meaning": "Reviews are positive if the critic likes the film, and negative if not.",
    "question": "Is the sentiment of each film review positive or negative?",
    "heading": "Film reviews and their sentiment, negative or positive.",
    "none": "",
}
OWN_EXAMPLES = {
    "short": {1: "A warm and funny film.", 0: "A dull film."},
    "long": {1: "It is warm, funny and well played.", 0: "It is dull and far too long."},
}
LABELS = {"both": (1, 0), "negative": (0,), "positive": (1,), "none": ()}
"""Of the examples of our own that are shown; the last one shifts the model's fondness most."""


def train(data: Path, artifact: Path, seed: int, seconds: float) -> None:
    """Write the prompt into `artifact`."""
    reviews = json.loads((data / "train" / "reviews.json").read_text())
    partial = artifact / "partial.txt"
    partial.write_text(written(reviews), "utf-8")
    os.replace(partial, artifact / "prompt.txt")


def load(artifact: Path) -> Callable[[object], str]:
    """A function from any question to the prompt."""
    prompt = (artifact / "prompt.txt").read_text("utf-8")
    return lambda question: prompt


def written(reviews: list[dict]) -> str:
    """The instruction, as many examples as there is room for, and our own ones."""
    first = [INSTRUCTIONS[WORDING]] if INSTRUCTIONS[WORDING] else []
    last = [shown(OWN_EXAMPLES[OWN][label], label) for label in LABELS[SHOWN]]
    middle = []
    for review in examples(reviews):
        part = shown(review["text"], review["label"])
        if len("\n\n".join([*first, *middle, part, *last]).encode()) > PROMPT_BYTES:
            break
        middle.append(part)
    return "\n\n".join([*first, *middle, *last])


def shown(text: str, label: int) -> str:
    """A question with its answer."""
    return QUESTION.format(text) + ANSWERS[label]


def examples(reviews: list[dict]) -> list[dict]:
    """Those whose length is next to `LENGTH`, of either label in turn."""
    nearest = sorted(
        reviews, key=lambda review: (abs(len(review["text"]) - LENGTH), review["text"])
    )
    last = ["negative", "positive"].index(LAST)
    turn = [(last + 1 + place + EXAMPLES) % 2 for place in range(EXAMPLES)]
    of_label = [[review for review in nearest if review["label"] == label] for label in (0, 1)]
    return [of_label[label].pop(0) for label in turn]
