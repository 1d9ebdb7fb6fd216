"""A candidate that has learnt nothing: whatever it scores, a metric gives away for free.

`sealed task check` sends this file to the sandbox, with another `KIND` each time. It answers what
is of the expected type and shape, and looks at neither data nor, but for the echo, the question.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sealed_task import Array, Text, Value, expected

KIND = "zeros"


def train(data: Path, artifact: Path, seed: int, seconds: float) -> None:
    """Leave a file, for an artifact without any may look like a failure."""
    (artifact / "nothing.txt").write_text("nothing was learnt\n")


def load(artifact: Path) -> Callable[[Value], Any]:
    """A function that answers in the way of `KIND`."""
    rng = np.random.default_rng()

    def answer(question: Value) -> Any:
        expect = expected()
        return (
            words(question, expect, rng)
            if isinstance(expect, Text)
            else numbers(question, expect, rng)
        )

    return answer


def numbers(question: Value, expect: Array, rng: np.random.Generator) -> Any:
    """An array of the expected shape and type."""
    shape = expect.shape
    whole = expect.dtype[0] in "iub"
    found: Any = np.zeros(shape)
    if KIND == "ones":
        found = np.ones(shape)
    elif KIND == "equal shares":
        found = np.full(shape, 1 / max(1, shape[-1] if shape else 1))
    elif KIND == "random" and whole:
        found = rng.integers(0, 2 if expect.dtype == "b1" else 100, shape)
    elif KIND == "random":
        found = rng.random(shape)
    elif KIND == "random shares":
        found = rng.random(shape)
        found = found / (found.sum(axis=-1, keepdims=True) if shape else found)
    elif KIND == "echo":
        heard = np.concatenate([np.zeros(0), *leaves(question)])
        found = np.resize(heard if heard.size else np.zeros(1), shape)
    return np.nan_to_num(found).astype(f"<{expect.dtype}")


def words(question: Value, expect: Text, rng: np.random.Generator) -> str:
    """A text of no more than the expected bytes."""
    if KIND == "echo":
        heard = "".join(texts(question)).encode()[: expect.max_bytes]
        return heard.decode(errors="ignore")
    if KIND.startswith("random"):
        size = int(rng.integers(1, min(expect.max_bytes, 1000) + 1))
        return rng.integers(97, 123, size, dtype=np.uint8).tobytes().decode()
    return {"zeros": "", "ones": "a"}.get(KIND, " ")


def leaves(value: Value) -> Iterator[np.ndarray]:
    """Every number of a question, as float64 arrays of one dimension."""
    if isinstance(value, np.ndarray):
        yield value.astype(np.float64).ravel()
    elif isinstance(value, bool | int | float):
        yield np.array([value], dtype=np.float64)
    elif isinstance(value, dict):
        for part in value.values():
            yield from leaves(part)
    elif isinstance(value, list):
        for part in value:
            yield from leaves(part)


def texts(value: Value) -> Iterator[str]:
    """Every text of a question."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from texts(part)
