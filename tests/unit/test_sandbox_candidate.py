"""What the host does with a candidate's text, and what it does not."""

import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.api import CANDIDATE_BYTES, CANDIDATE_COMPRESSED_BYTES
from sandbox.errors import BadCandidate
from sandbox.tasks.candidate import check_candidate, warm_modules


def refused(text: str) -> BadCandidate:
    """The error that a text ends in; it always says what to do next."""
    with pytest.raises(BadCandidate) as fault:
        check_candidate(text)
    assert fault.value.next_step
    return fault.value


def test_the_bounds_are_those_of_the_design() -> None:
    """64 KiB of text, 16 KiB compressed: too little to carry the data."""
    assert (CANDIDATE_BYTES, CANDIDATE_COMPRESSED_BYTES) == (65536, 16384)


@pytest.mark.parametrize("character", ["x", "é", "火", "🔥"])
def test_the_size_counts_in_bytes_of_utf_8(character: str) -> None:
    """Exactly the bound is taken, one byte more is not, whatever a character takes."""
    width = len(character.encode())
    full = character * (CANDIDATE_BYTES // width)
    full += "#" * (CANDIDATE_BYTES - len(full.encode()))
    check_candidate(full)
    assert str(CANDIDATE_BYTES + 1) in refused(full + "#").message


def incompressible(size: int) -> str:
    """A text whose zlib form at level 9 has exactly `size` bytes."""
    rng = random.Random(5)
    text = "".join(rng.choices("0123456789abcdef", k=2 * size))
    low, high = 1, len(text)
    while low < high:
        middle = (low + high) // 2
        if len(zlib.compress(text[:middle].encode(), 9)) < size:
            low = middle + 1
        else:
            high = middle
    text = text[:low]
    for filler in ("", *"ghijklmnopqrstuvwxyz"):
        for count in range(8):
            padded = text + filler * count
            if len(zlib.compress(padded.encode(), 9)) == size:
                return padded
    raise AssertionError("no text of that size was found")


def test_the_compressed_size_is_exact() -> None:
    """Data in disguise is refused from the first byte over the bound, well below the other one."""
    fits = incompressible(CANDIDATE_COMPRESSED_BYTES)
    assert len(fits) < CANDIDATE_BYTES
    check_candidate(fits)
    over = incompressible(CANDIDATE_COMPRESSED_BYTES + 1)
    assert str(CANDIDATE_COMPRESSED_BYTES + 1) in refused(over).message


@pytest.mark.parametrize("text", ["", " ", "\n\t\r\n", "\x0c"])
def test_nothing_is_no_candidate(text: str) -> None:
    """A text of white space has nothing to run."""
    assert "empty" in refused(text).message


@pytest.mark.parametrize("text", ["\ud800", "x = 1\udcff", "\udfff\ud800"])
def test_a_surrogate_is_not_utf_8(text: str) -> None:
    """Half a character, as a broken decoder leaves it, is refused and not replaced."""
    assert "UTF-8" in refused(text).message


def test_a_nul_is_no_text() -> None:
    """A NUL ends a text for some readers and not for others, so it is refused."""
    assert "NUL" in refused("x = 1\0y = 2").message


@given(st.text(alphabet=st.characters(codec=None), max_size=300))
def test_any_text_is_taken_or_refused(text: str) -> None:
    """No text ends in another exception; what is taken can be sent."""
    try:
        check_candidate(text)
    except BadCandidate:
        return
    assert text.strip()
    assert "\0" not in text
    assert len(text.encode("utf-8")) <= CANDIDATE_BYTES


def test_a_broken_program_is_still_a_candidate() -> None:
    """Nothing is parsed on the host: a syntax error is for the container to find."""
    check_candidate("def train(:\n")


# ---- what the runner imports early ------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "import torch",
        "import torch as t",
        "import numpy, torch",
        "import torch.nn as nn",
        "from torch import nn",
        "from torch.nn import functional",
        "def train():\n    import torch\n",
        "\timport torch",
        "x = 1\r\nimport torch\r\n",
        "try:\n  import torch\nexcept ImportError:\n  pass",
    ],
)
def test_an_import_warms_the_module(text: str) -> None:
    """A module that the candidate imports is imported before its clock starts."""
    assert warm_modules(text) == ("torch",)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "import numpy",
        "torch = 1",
        "# import torch",
        "x = 1  # import torch",
        "import numpy  # not torch",
        "import torchvision",
        "import pytorch",
        "from mytorch import x",
        "important = 'torch'",
        "importlib.import_module('torch')",
        "import_torch = 2",
        "print('import torch')",
        "import numpy\ntorch",
        "from\ntorch",
    ],
)
def test_other_text_warms_nothing(text: str) -> None:
    """A comment, a longer name or a string is no import: the budget pays for none of them."""
    assert warm_modules(text) == ()


def test_only_known_modules_are_warmed() -> None:
    """The candidate's text picks from a fixed list: it never names a module of its own."""
    assert warm_modules("import os, sys, evil\nfrom torch import nn\nimport torch") == ("torch",)
