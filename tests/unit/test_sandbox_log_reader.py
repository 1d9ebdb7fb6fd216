"""A candidate's log: capped while it is read, clean before anyone sees it."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox import limits
from sandbox.log_reader import LogReader, clean, last_line

LONGEST_LINE = 2000


def held(reader: LogReader) -> int:
    """Bytes that a reader keeps."""
    return len(reader._head) + sum(map(len, reader._tail))


def fed(*pieces: bytes, head: int = limits.LOG_HEAD, tail: int = limits.LOG_TAIL) -> LogReader:
    """A reader that has taken these pieces."""
    reader = LogReader(head, tail)
    for piece in pieces:
        reader.feed(piece)
    return reader


def cut(data: bytes, at: list[int]) -> list[bytes]:
    """The data in pieces, some of them empty."""
    edges = sorted(position % (len(data) + 1) for position in at)
    return [data[a:b] for a, b in zip([0, *edges], [*edges, len(data)], strict=True)]


# ---- the cap ----------------------------------------------------------------------------------


@settings(max_examples=200)
@given(
    st.binary(max_size=300),
    st.lists(st.integers(0, 10_000), max_size=8),
    st.integers(0, 40),
    st.integers(1, 40),
)
def test_any_pieces_give_the_same_text(data: bytes, at: list[int], head: int, tail: int) -> None:
    """How the engine cuts the stream changes neither text nor count, and the cap holds."""
    whole = fed(data, head=head, tail=tail)
    reader = LogReader(head, tail)
    for piece in cut(data, at):
        reader.feed(piece)
        assert held(reader) <= head + 2 * tail
    assert (reader.text(), reader.total) == (whole.text(), len(data))


@settings(max_examples=100)
@given(st.text(alphabet="abc \n", max_size=300), st.integers(0, 50), st.integers(1, 50))
def test_head_and_tail_are_kept_and_the_rest_is_counted(text: str, head: int, tail: int) -> None:
    """The first and the last bytes are there, with exactly what is missing between."""
    data = text.encode()
    left_out = len(data) - head - tail
    wanted = text
    if left_out > 0:
        wanted = f"{text[:head]}\n[… {left_out} bytes left out …]\n{text[len(text) - tail :]}"
    assert fed(data, head=head, tail=tail).text() == wanted


@pytest.mark.parametrize("size", [1, 7, 1000, 65_536, 1 << 20])
def test_a_flood_is_counted_not_kept(size: int) -> None:
    """However large the pieces, memory stays below head plus twice the tail."""
    reader = LogReader()
    pieces = min(20_000, (8 << 20) // size)
    for _ in range(pieces):
        reader.feed(b"x" * size)
    assert held(reader) <= limits.LOG_HEAD + 2 * limits.LOG_TAIL
    assert len(reader._tail) <= 4097
    assert reader.total == pieces * size
    assert len(reader.text()) <= limits.LOG_HEAD + limits.LOG_TAIL + 100


def test_the_default_caps_are_the_limits() -> None:
    """One byte more than head and tail is the first that is left out."""
    full = limits.LOG_HEAD + limits.LOG_TAIL
    assert "left out" not in fed(b"\n" * full).text()
    assert "[… 1 bytes left out …]" in fed(b"\n" * (full + 1)).text()


def test_a_callers_buffer_is_not_kept() -> None:
    """A piece is copied: the buffer that it was read into may be used again."""
    buffer = bytearray(b"first")
    reader = LogReader(2, 10)
    reader.feed(buffer)
    buffer[:] = b"later"
    assert reader.text() == "first"


# ---- cleaning ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        (b"plain\ttext\n", "plain\ttext\n"),
        ("grün 火 🔥\n".encode(), "grün 火 🔥\n"),
        (b"a\0b\x07c\x08d\x7fe", "abcde"),
        (b"\x1b[31mred\x1b[0m", "red"),
        (b"\x1b[2J\x1b[1;1Hgone", "gone"),
        (b"\x1b]0;title\x07text", "text"),
        (b"\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        (b"\x1b\x1b[m[31mx", "[31mx"),
        (b"\x1b", ""),
        (b"\x1b[", ""),
        ("\x9b31mx".encode(), "31mx"),
        ("a\u202eb\u2066c\u200fd\u200be\ufeff".encode(), "abcde"),
        ("\U000e0041\U000e007f".encode(), ""),
        ("a\u00adb".encode(), "ab"),
        (b"\xff\xfe\x80", "\ufffd\ufffd\ufffd"),
        (b"\xf0\x9f\x94", "\ufffd"),
        (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),
        (b"10%\r20%\r100%\r\ndone\r", "10%\n20%\n100%\ndone\n"),
        (b"x" * 2000, "x" * 2000),
        (b"x" * 2001, "x" * 2000 + " […]"),
        (b"x" * 3000 + b"\ny", "x" * 2000 + " […]\ny"),
    ],
    ids=range(21),
)
def test_what_is_shown_is_clean(raw: bytes, wanted: str) -> None:
    """Escapes, controls, bidi marks, NUL and broken UTF-8 are gone; lines end in LF and are cut."""
    assert clean(raw) == wanted


def test_half_a_surrogate_is_gone() -> None:
    """A reason comes as text: what can't be encoded is not in it."""
    assert clean("a\ud800b") == "ab"


@settings(max_examples=200)
@given(
    st.one_of(
        st.binary(max_size=400),
        st.lists(
            st.sampled_from(
                [b"\x1b", b"[", b"]", b"31m", b"0;t", b"\x07", b"\\", b"\r", b"\n", b"\0", b"x",
                 "\u202e".encode(), "\x9b".encode(), b"\xc3", b"\xf0\x9f", b" " * 700, b"y" * 1500]
            ),
            max_size=20,
        ).map(b"".join),
    )
)  # fmt: skip
def test_nothing_else_comes_through(data: bytes) -> None:
    """Whatever the bytes: no control but tab and newline, no long line, and it can be encoded."""
    text = clean(data)
    assert all(c in "\n\t" or unicodedata.category(c)[0] != "C" for c in text)
    assert all(len(line) <= LONGEST_LINE + 4 for line in text.split("\n"))
    text.encode("utf-8")


def test_cleaning_takes_time_in_proportion() -> None:
    """A log made to be slow to clean (an escape that never ends, many that begin) is not."""
    for unit in (b"\x1b]", b"\x1b[", b"\x1b[0", b"\x1b[ ", b"\x1b]x\x1b"):
        text = clean(unit * ((limits.LOG_HEAD + limits.LOG_TAIL) // len(unit)))
        assert len(text) <= limits.LOG_HEAD + limits.LOG_TAIL


# ---- the last line ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", ""),
        ("\n \n\t\n", ""),
        ("Traceback:\n  at x\nValueError: no\n\n", "ValueError: no"),
        ("  one  ", "one"),
        ("z" * 5000, "z" * limits.REASON),
    ],
)
def test_the_last_line_says_why(text: str, wanted: str) -> None:
    """Of a traceback it is the error itself, and never more than a reason may have."""
    assert last_line(text) == wanted
