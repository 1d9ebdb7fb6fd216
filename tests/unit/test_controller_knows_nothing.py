"""The candidate that knows nothing, as `sealed task check` sends it: its answers by kind."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from controller.task_check.measure import KINDS, knows_nothing
from sealed_task import Array, Text
from sealed_task.expect import Expect, set_expected


def answers(kind: str, question: Any, expect: Expect, folder: Path) -> Any:
    """What the candidate says, as its runner would have it."""
    path = folder / "train.py"
    path.write_text(knows_nothing(kind))
    spec = importlib.util.spec_from_file_location("knows_nothing", path)
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.train(folder, folder, 0, 1.0)
    set_expected(expect)
    return expect.unpack(expect.pack(module.load(folder)(question)))


@pytest.mark.parametrize("kind", [kind for kinds in KINDS.values() for kind in kinds])
@pytest.mark.parametrize(
    "expect",
    [Array("f8", (3, 4)), Array("f4", ()), Array("i4", (5,)), Array("b1", (2,)),
     Array("u1", (2, 0)), Text(7)],
    ids=str,
)  # fmt: skip
def test_every_kind_of_answer_is_of_the_expected_form(
    kind: str, expect: Expect, tmp_path: Path
) -> None:
    """So that a metric is what refuses or scores it, not the frame."""
    question = {"x": [np.arange(3), True, "word"], "y": None}
    found = answers(kind, question, expect, tmp_path)
    assert isinstance(found, str) == isinstance(expect, Text)


def test_chance_says_yes_and_no(tmp_path: Path) -> None:
    """Of bools as well, for a random fraction is hardly ever 0."""
    found = answers("random", None, Array("b1", (100,)), tmp_path)
    assert 20 < found.sum() < 80


def test_shares_sum_to_one_and_an_echo_repeats_the_question(tmp_path: Path) -> None:
    """Two kinds that tasks with probabilities, or with the answer in the question, must meet."""
    expect = Array("f8", (2, 4), 0, 1)
    assert answers("equal shares", None, expect, tmp_path).tolist() == [[0.25] * 4] * 2
    shares = answers("random shares", None, expect, tmp_path)
    assert shares.sum(axis=1) == pytest.approx([1, 1])
    heard = answers("echo", [[1, 2.5], {"z": np.array([7])}], Array("f8", (4,)), tmp_path)
    assert heard.tolist() == [1, 2.5, 7, 1]
    assert answers("echo", {"a": "né", "b": ["w"]}, Text(3), tmp_path) == "né"
