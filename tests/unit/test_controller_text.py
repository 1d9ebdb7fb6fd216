"""Text of models and candidates, made safe."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.text import one_line, printable


@given(st.text(alphabet=st.characters(), max_size=300), st.integers(2, 200))
def test_printable_leaves_nothing_that_acts_instead_of_being_seen(text: str, limit: int) -> None:
    """No control, format, surrogate or separator character survives, and the limit holds."""
    shown = printable(text, limit)
    assert len(shown) <= limit
    kinds = {unicodedata.category(letter) for letter in shown if letter not in "\n\t"}
    assert not kinds & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    shown.encode()


@given(st.text(max_size=300), st.integers(2, 200))
def test_one_line_is_one_line_for_every_reader(text: str, limit: int) -> None:
    """Neither Python nor a spreadsheet finds a second line or column in it."""
    line = one_line(text, limit)
    assert len(line) <= limit
    assert len(line.splitlines()) <= 1
    assert "\t" not in line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "\ufffd[31mred\ufffd[0m"),
        ("abc\u202edcba", "abc\ufffddcba"),
        ("zero\u200bwidth", "zero\ufffdwidth"),
        ("tag\U000e0041", "tag\ufffd"),
        ("variation\ufe01", "variation\ufffd"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("no\xa0break", "no break"),
        ("NUL\0", "NUL\ufffd"),
        ("größer 数字 🙂\ttab", "größer 数字 🙂\ttab"),
    ],
)
def test_printable_shows_that_something_was_there(text: str, shown: str) -> None:
    """Escapes, bidirectional marks and hidden letters become U+FFFD; plain text stays."""
    assert printable(text, 100) == shown


def test_a_cut_is_shown() -> None:
    """What was longer ends with an ellipsis."""
    assert printable("abcdef", 4) == "abc…"
    assert one_line("abc def", 5) == "abc …"
