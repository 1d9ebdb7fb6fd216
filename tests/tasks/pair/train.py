"""Counts its questions, and watches the time for moments in which it stood still."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

NAME = 1.0


def train(data: Path, artifact: Path, seed: int, seconds: float) -> None:
    """Leave the name, so that the baseline's artifact is its own."""
    (artifact / "name.txt").write_text(str(NAME))


def load(artifact: Path) -> Callable[[str], float]:
    """A function from a question's word to a number."""
    name = float((artifact / "name.txt").read_text())
    seen = {"count": 0.0, "gap": 0.0}

    def watch() -> None:
        last = time.monotonic()
        while True:
            time.sleep(0.01)
            now = time.monotonic()
            seen["gap"] = max(seen["gap"], now - last)
            last = now

    threading.Thread(target=watch, daemon=True).start()

    def answer(word: str) -> float:
        seen["count"] += 1
        if word == "slow":
            time.sleep(0.5)
        return name if word == "name" else seen.get(word, 0.0)

    return answer
