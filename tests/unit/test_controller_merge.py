"""Two changes of a text put together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.diff import MOST_LINES
from controller.merge import merged

TEXTS = st.lists(st.sampled_from(["a\n", "b\n", "c\n", "\n", "x = 1\n"]), max_size=12).map("".join)


@given(TEXTS, TEXTS)
def test_one_change_alone_is_that_change(base: str, changed: str) -> None:
    """Whichever side has it; and the same change of both is made once."""
    assert merged(base, changed, base) == changed
    assert merged(base, base, changed) == changed
    assert merged(base, changed, changed) == changed


@given(st.sets(st.integers(0, 11)), st.sets(st.integers(0, 11)))
def test_changes_of_other_lines_are_both_made(ours: set[int], theirs: set[int]) -> None:
    """Neighbouring lines too; what both change differently is a conflict."""
    base = [f"line {n}\n" for n in range(12)]
    first, second = (
        [f"line {n} by {who}\n" if n in lines else line for n, line in enumerate(base)]
        for who, lines in (("us", ours), ("them", theirs))
    )
    both = [
        f"line {n} by us\n" if n in ours else f"line {n} by them\n" if n in theirs else line
        for n, line in enumerate(base)
    ]
    found = merged("".join(base), "".join(first), "".join(second))
    assert found == (None if ours & theirs else "".join(both))


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "result"),
    [
        ("a\nb\n", "a\nnew\nb\n", "a\n", "a\nnew\n"),
        ("a\nb\nc\n", "a\nb\nnew\nc\n", "c\n", "new\nc\n"),
        ("a\nb\nc\n", "a\nnew\nb\nc\n", "c\n", None),
        ("a\nb\n", "a\nnew\nb\n", "a\nother\nb\n", None),
        ("a\nb\nc\n", "new\na\nb\nc\n", "a\nb\n", "new\na\nb\n"),
        ("a\nb\nc\n", "a\nc\n", "a\nc\nd\n", "a\nc\nd\n"),
        ("a\nb", "a\nb\n", "A\nb", "A\nb\n"),
        ("", "a\n", "", "a\n"),
    ],
)
def test_lines_that_are_put_in_and_taken_out(
    base: str, ours: str, theirs: str, result: str | None
) -> None:
    """What is put in where the other side changes something has no place of its own."""
    assert merged(base, ours, theirs) == result
    assert merged(base, theirs, ours) == result


def test_texts_that_take_minutes_are_not_merged() -> None:
    """Who proposes chooses the lines."""
    long = "a\n" * (MOST_LINES + 1)
    assert merged(long, long, long) is None
    assert merged("a\n", "a\n", long) is None
