"""tasks/README.md: the page that a newcomer follows says what the code does."""

import math
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from controller.agents.marks import Choice, marked
from sandbox.api import Feedback, Goal, Keep, TaskSettings
from sandbox.tasks.settings import BOUNDS, parse_program
from tests.support.predictors import local_predictors
from tests.support.tasks import ROOT, load_module, prepared

TEXT = (ROOT / "tasks" / "README.md").read_text("utf-8")
FIELDS = {field.name: field for field in msgspec.structs.fields(TaskSettings)}


def table() -> dict[str, tuple[str, str]]:
    """Default and bounds of each setting, as the page has them."""
    section = TEXT.split("## Settings of the front matter")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \| [^|]+ \|$", section, re.MULTILINE)
    return {key: (default, bounds) for key, default, bounds in rows}


def number(value: float) -> str:
    """A bound as a person writes it."""
    return str(int(value)) if value == int(value) else str(value)


def example(name: str) -> str:
    """A file of the complete example."""
    block = re.search(rf"^`{re.escape(name)}`:\n```\w+\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    assert block is not None
    return block[1]


def test_the_table_has_every_setting_in_the_order_of_the_code() -> None:
    """No key of the front matter is missing from the page, and none is invented."""
    assert list(table()) == list(FIELDS)


@pytest.mark.parametrize("key", FIELDS)
def test_the_default_is_the_codes(key: str) -> None:
    """What happens without the key is what the page says."""
    default = FIELDS[key].default
    if default is msgspec.NODEFAULT:
        expected = "required"
    else:
        expected = number(default) if isinstance(default, int | float) else str(default)
    assert table()[key][0] == expected


@pytest.mark.parametrize("key", BOUNDS)
def test_the_bounds_are_the_codes(key: str) -> None:
    """A number that the page allows is one that the sandbox allows."""
    low, high = BOUNDS[key]
    expected = f"from {number(low)}" if high == math.inf else f"{number(low)} to {number(high)}"
    assert table()[key][1] == expected


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("goal", list(Goal)),
        ("feedback", list(Feedback)),
        ("keep", list(Keep)),
        ("gpus", [0, 1, "auto"]),
    ],
)
def test_the_words_are_the_codes(key: str, words: list[Any]) -> None:
    """A setting with a closed list of values has that list on the page."""
    assert table()[key][1] == ", ".join(f"`{word}`" for word in words)


def test_the_complete_example_works(tmp_path: Path) -> None:
    """Copied from the page, it prepares, trains, loads and scores, and its mark has effect."""
    for name in ("program.md", "prepare.py", "train.py"):
        (tmp_path / name).write_text(example(name), "utf-8")
    settings, prose = parse_program((tmp_path / "program.md").read_text("utf-8"))
    assert prose
    prepare = load_module(tmp_path / "prepare.py")
    to = prepared(prepare, tmp_path, salt=1)
    scores = []
    for degree in (1, 5):
        train = load_module(tmp_path / "train.py")
        train.DEGREE = degree  # type: ignore[attr-defined]
        artifact = tmp_path / str(degree)
        artifact.mkdir()
        train.train(to.train.parent, artifact, 0, settings.budget_seconds)
        predictors = local_predictors(train.load(artifact))
        scores.append(prepare.score(to.held_out, predictors).values.mean())
    assert scores[1] < scores[0] - settings.min_gain
    assert [constant.name for constant in marked(example("train.py")).constants] == ["DEGREE"]


def test_the_marks_on_the_page_and_in_the_tasks_are_marks() -> None:
    """Every `# search:` that is shown or shipped is one that the search agent reads."""
    shown = re.search(r"```python\n(LEARNING_RATE.*?)```", TEXT, re.DOTALL)
    assert shown is not None
    names = [constant.name for constant in marked(shown[1]).constants]
    assert names == ["LEARNING_RATE", "DROPOUT", "WIDTH", "ACTIVATION"]
    digits = marked((ROOT / "tasks" / "digits" / "train.py").read_text("utf-8")).constants
    assert len(digits) == 6
    assert isinstance(digits[-1].domain, Choice)
