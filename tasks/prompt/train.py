"""Writes a prompt for a small language model: the file to improve.

An instruction, and then examples out of the training texts, laid out as the scorer lays out its
questions. There is no model here to try them on: the score says what a prompt was worth.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path

from prepare import ANSWERS, PROMPT_BYTES, QUESTION

WORDING = "question"  # search: choice question heading none
EXAMPLES = 0  # search: choice 0 1 2 4 6
LAST = "negative"  # search: choice negative positive
LENGTH = 60  # search: int 20 100

INSTRUCTIONS = {
    "question": "Is the sentiment of each film review positive or negative?",
    "heading": "Film reviews and their sentiment, negative or positive.",
    "none": "",
}


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
    """The instruction and the examples, as many as there is room for."""
    parts = [INSTRUCTIONS[WORDING]] if INSTRUCTIONS[WORDING] else []
    for review in examples(reviews):
        part = QUESTION.format(review["text"]) + ANSWERS[review["label"]]
        if len("\n\n".join([*parts, part]).encode()) > PROMPT_BYTES:
            break
        parts.append(part)
    return "\n\n".join(parts)


def examples(reviews: list[dict]) -> list[dict]:
    """Those whose length is next to `LENGTH`, of either label in turn."""
    nearest = sorted(
        reviews, key=lambda review: (abs(len(review["text"]) - LENGTH), review["text"])
    )
    last = ["negative", "positive"].index(LAST)
    turn = [(last + 1 + place + EXAMPLES) % 2 for place in range(EXAMPLES)]
    of_label = [[review for review in nearest if review["label"] == label] for label in (0, 1)]
    return [of_label[label].pop(0) for label in turn]
