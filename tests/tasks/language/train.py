"""An honest trigram: in both rooms it says what it knows before it sees a token."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import prepare


def train(data: Path, artifact: Path, seed: int, seconds: float) -> None:
    """Count."""
    text = np.load(data / "train" / "text.npy", allow_pickle=False)
    np.save(artifact / "nats.npy", prepare.fit(text, order=3), allow_pickle=False)


def load(artifact: Path) -> Callable[[Any], Any]:
    """A function that answers in either room."""
    nats = np.load(artifact / "nats.npy", allow_pickle=False)

    def answer(question: Any) -> Any:
        if question["room"] == "whole":
            return prepare.losses(nats, question["windows"])
        return prepare.logits(nats, question["prefixes"])

    return answer
