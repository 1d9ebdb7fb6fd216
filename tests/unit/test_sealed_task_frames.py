"""Frames: what a receiver does with bytes from the other side."""

import io

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sealed_task import frames


class Counting(io.BytesIO):
    """A stream that remembers how much was asked of it."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.asked: list[int] = []

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        self.asked.append(size)
        return super().read(size)


kinds = st.sampled_from(list(frames.Kind))
nonces = st.integers(0, 2**64 - 1)


@given(st.lists(st.tuples(kinds, st.binary(max_size=100), nonces), max_size=5))
def test_frames_come_back_as_they_went(
    messages: list[tuple[frames.Kind, bytes, int]],
) -> None:
    """Kind, payload and nonce of every frame arrive in order, and then the stream is at its end."""
    stream = io.BytesIO()
    for kind, payload, nonce in messages:
        frames.write(stream, kind, payload, nonce)
    assert stream.getvalue() == b"".join(frames.pack(*message) for message in messages)
    stream.seek(0)
    assert [frames.read(stream) for _ in messages] == messages
    with pytest.raises(EOFError):
        frames.read(stream)


@given(kinds, st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_a_length_over_the_limit_is_refused_before_the_payload_is_read(
    kind: frames.Kind, length: int, most: int
) -> None:
    """A receiver asks its stream for no byte beyond the header of a frame that is too long."""
    assume(length > min(most, frames.MOST_BYTES))
    stream = Counting(frames.HEADER.pack(frames.MAGIC, kind, 0, length, 0) + b"x" * 64)
    with pytest.raises(frames.BrokenFrame, match="at most"):
        frames.read(stream, most)
    assert stream.asked == [frames.HEADER.size]


@given(kinds, st.binary(min_size=1, max_size=100), st.data())
def test_a_truncated_frame_is_the_end_of_the_stream(
    kind: frames.Kind, payload: bytes, data: st.DataObject
) -> None:
    """A stream that ends within a frame raises `EOFError` and never yields half a payload."""
    whole = frames.pack(kind, payload, 7)
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(EOFError):
        frames.read(io.BytesIO(whole[:cut]))


@given(st.binary(max_size=200))
def test_garbage_ends_in_one_of_two_exceptions(data: bytes) -> None:
    """Any bytes are frames, `BrokenFrame` or `EOFError`, and reads stay within header and limit."""
    stream = Counting(data)
    try:
        while True:
            frames.read(stream, most=64)
    except (frames.BrokenFrame, EOFError):
        pass
    assert max(stream.asked) <= 64


@given(st.binary(min_size=frames.HEADER.size, max_size=frames.HEADER.size))
def test_a_header_without_the_magic_is_no_frame(header: bytes) -> None:
    """Sixteen bytes that a candidate prints are refused unless they begin as a frame does."""
    assume(header[:2] != frames.MAGIC or header[3] != 0)
    with pytest.raises(frames.BrokenFrame, match="no frame"):
        frames.unpack_header(header, frames.MOST_BYTES)


def test_kinds_have_numbers_of_their_own() -> None:
    """No two kinds share a number, so a frame means one thing in every direction."""
    assert len({int(kind) for kind in frames.Kind}) == len(frames.Kind.__members__)
