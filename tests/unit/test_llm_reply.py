"""A reply becomes an edit or an exact reason, whatever is in it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from controller.candidate import Candidate, Unfit
from controller.llm.reply import is_whole_file, parsed
from sandbox.api import CANDIDATE_BYTES

CHAMPION = """\
import math

RATE = 0.1  # search: log 1e-3 1.0
NAMES = [
    "a",
]

def train():
    x = 1
    return x

def load():
    x = 1
    return x * RATE
"""
BLOCK = "<<<<<<< SEARCH\n{}\n=======\n{}\n>>>>>>> REPLACE\n"


def source(reply: str) -> str:
    """Of the candidate that the reply makes."""
    found = parsed(reply, CHAMPION)
    assert isinstance(found, Candidate), found
    return found.source


def reason(reply: str, champion: str = CHAMPION) -> str:
    """Why it makes none."""
    found = parsed(reply, champion)
    assert isinstance(found, Unfit), found
    return found.reason


def test_one_block_changes_its_lines_alone() -> None:
    """And what is said before it is the hypothesis."""
    reply = "HYPOTHESIS: A larger rate\nhelps.\n\n" + BLOCK.format(
        "    return x * RATE", "    return x"
    )
    found = parsed(reply, CHAMPION)
    assert isinstance(found, Candidate)
    assert found.source == CHAMPION.replace("    return x * RATE", "    return x")
    assert found.hypothesis == "A larger rate\nhelps."


def test_several_blocks_are_made_one_after_the_other() -> None:
    """Prose, fences and the file's name around them mean nothing."""
    reply = (
        "**Hypothesis:** both\n\ntrain.py\n```python\n"
        + BLOCK.format("def train():\n    x = 1", "def train():\n    x = 2")
        + "```\nand then\n```python\n"
        + BLOCK.format("import math", "import cmath")
        + "```\nThat is all."
    )
    assert source(reply) == CHAMPION.replace("train():\n    x = 1", "train():\n    x = 2").replace(
        "import math", "import cmath"
    )


def test_ends_of_lines_don_not_matter() -> None:
    """Windows line ends, and spaces at the end of a line that was searched."""
    reply = BLOCK.format("import math  ", "import cmath").replace("\n", "\r\n")
    assert source(reply) == CHAMPION.replace("import math", "import cmath")


def test_a_block_can_remove_lines() -> None:
    """With nothing in their place."""
    reply = "<<<<<<< SEARCH\nimport math\n\n=======\n>>>>>>> REPLACE"
    assert source(reply) == CHAMPION.removeprefix("import math\n\n")


def test_a_whole_file_replaces_all() -> None:
    """In one fence, whatever Python is called there."""
    for name in ("python", "py", "", "Python train.py"):
        reply = f"HYPOTHESIS: anew\n```{name}\nprint(1)\n```\nDone."
        assert source(reply) == "print(1)\n"
        assert is_whole_file(reply)
    assert not is_whole_file("```python\n" + BLOCK.format("a", "b") + "```")


def test_a_line_sets_one_constant_and_keeps_its_mark() -> None:
    """Small models can hit it; the rest of the line stays."""
    for reply in ("RATE = 0.3", "I think:\n`RATE = 0.3`", "HYPOTHESIS: more.\nRATE=0.3\nNAMES = 3"):
        expected = CHAMPION.replace("RATE = 0.1  #", "RATE = 0.3  #", 1)
        assert source(reply) == expected


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        ("", "There is no code in it"),
        ("I can't help with that.", "There is no code in it"),
        ("OTHER = 3", "There is no code in it"),
        ("NAMES = [", "There is no code in it"),
        (
            BLOCK.format("    x = 1", "    x = 2"),
            "(`x = 1`) is found 2 times in train.py, not once",
        ),
        (BLOCK.format("x = 1", "x = 2"), "(`x = 1`) is found nowhere in train.py, not once"),
        (BLOCK.format("", "x = 2"), "The SEARCH of block 1 is empty"),
        (
            BLOCK.format("import math", "import a") + BLOCK.format("import math", "import b"),
            "The SEARCH of block 2 (`import math`) is found nowhere",
        ),
        ("<<<<<<< SEARCH\nimport math\n", "Block 1 has no line `=======`"),
        ("<<<<<<< SEARCH\nimport math\n=======\nx", "Block 1 has no line `>>>>>>> REPLACE`"),
        (
            "<<<<<<< SEARCH\nimport math\n" + BLOCK.format("import math", "x"),
            "Block 1 has no line `=======`",
        ),
        ("prepare.py\n" + BLOCK.format("import math", "x"), "edits prepare.py; only train.py"),
        ("`../train.json`\n" + BLOCK.format("import math", "x"), "edits ../train.json; only"),
        ("```python\nx\n```\n```python\ny\n```", "There is more than one fence"),
        ("**prepare.py**\n```python\nx\n```", "edits prepare.py"),
        ("```python:prepare.py\nx\n```", "edits prepare.py"),
        ("```json\n{}\n```", "The fence holds json, not Python"),
        ("```python\nx = 1", "The fence of the file is not closed"),
        (BLOCK.format("import math", "import math"), "It changes nothing"),
        ("```python\n" + CHAMPION + "```", "It changes nothing"),
        ("```python\n\n```", "The file is empty"),
        (BLOCK.format("import math", "x = '\ud800'"), "not UTF-8: it has half of a surrogate"),
        (BLOCK.format("import math", "x = '\ufffd'"), "not UTF-8: bytes of it were lost"),
        (BLOCK.format("import math", "x = '\0'"), "not UTF-8"),
        (BLOCK.format("import math", "#" * CANDIDATE_BYTES), f"{CANDIDATE_BYTES} are allowed"),
    ],
)
def test_what_can_not_be_applied_has_its_exact_reason(reply: str, told: str) -> None:
    """As the model is told it."""
    assert told in reason(reply)


def test_a_block_in_the_middle_of_a_line_is_none() -> None:
    """Lines are compared whole: a shorter one that occurs in a longer one is not found."""
    assert "nowhere" in reason(BLOCK.format("return x", "return y"))


def test_a_huge_reply_is_read_in_linear_time() -> None:
    """Three hundred thousand letters of each kind, well under a second each."""
    for piece in ("<<<<<<< SEARCH\n", "=======\n", "```\n", "RATE = ", "<", "a = b\n", "`", " "):
        parsed(piece * (300_000 // len(piece)), CHAMPION)


@settings(max_examples=300)
@given(
    some.lists(
        some.sampled_from(
            [
                *CHAMPION.split("\n"),
                *("<<<<<<< SEARCH", "=======", ">>>>>>> REPLACE", "```python", "```"),
                *("train.py", "HYPOTHESIS: x", "RATE = 2", "\x00", "\ud800", ""),
            ]
        ),
        max_size=20,
    )
)
def test_whatever_is_replied_nothing_is_raised(lines: list[str]) -> None:
    """A candidate that differs, encodes and is small enough, or a reason in one sentence."""
    found = parsed("\n".join(lines), CHAMPION)
    if isinstance(found, Candidate):
        assert found.source != CHAMPION
        assert len(found.source.encode()) <= CANDIDATE_BYTES
    else:
        assert found.reason
        assert len(found.reason) < 400
