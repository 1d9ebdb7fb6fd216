"""The fuzz targets by Hypothesis: bytes of any kind, and of the right form with a few changed."""

from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.containers.streams import FrameReader
from sealed_task import frames
from sealed_task.frames import Kind
from tests.fuzz.seeds import SEEDS
from tests.fuzz.targets import TARGETS, engine_stream, frame_reader

EXAMPLES = 300


@st.composite
def mutated(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """A seed, cut, doubled, or with some bytes of its own."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 6))):
        place = draw(st.integers(0, len(data)))
        match draw(st.integers(0, 3)):
            case 0:
                data[place : place + 1] = draw(st.binary(max_size=3))
            case 1:
                del data[place : place + draw(st.integers(0, 40))]
            case 2:
                data[place:place] = data[: draw(st.integers(0, 40))]
            case _:
                data[place:place] = draw(st.binary(max_size=200))
    return bytes(data)


@pytest.mark.claim("host-reads-with-a-cap")
@pytest.mark.parametrize("name", TARGETS)
def test_a_reader_keeps_its_promises_whatever_comes(name: str) -> None:
    """No exception but its own, nothing held beyond its cap, nothing shown that is not clean."""

    @settings(max_examples=EXAMPLES)
    @given(st.one_of(st.binary(max_size=600), mutated(SEEDS[name])))
    def holds(data: bytes) -> None:
        TARGETS[name](data)

    holds()


def test_every_target_has_seeds() -> None:
    """A fuzzer that begins with nothing finds nothing."""
    assert set(SEEDS) == set(TARGETS)
    for name, seeds in SEEDS.items():
        for seed in seeds:
            TARGETS[name](seed)


@given(st.integers(0, 54))
def test_frames_before_garbage_count_in_whatever_pieces(at: int) -> None:
    """What came whole is a frame, also when the garbage after it came in the same piece."""
    data = frames.pack(Kind.ANSWER, b"1") + frames.pack(Kind.DONE) + b"x" * 16
    reader, found = FrameReader(9), deque[int]()
    with pytest.raises(frames.BrokenFrame):
        found.extend(f.kind for part in (data[:at], data[at:]) for f in reader.feed(part))
    assert list(found) == [Kind.ANSWER, Kind.DONE]


def test_control_a_reader_without_its_limit_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The target notices a frame that is over the limit, so it can fail."""
    monkeypatch.setattr(
        frames,
        "unpack_header",
        lambda header, most: (*frames.HEADER.unpack(header)[1::2], 0),
    )
    with pytest.raises(AssertionError):
        frame_reader(SEEDS["frames"][2])


def test_control_a_stream_that_counts_nothing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The target notices text in the log that nobody cleaned."""
    monkeypatch.setattr("sandbox.log_reader.clean", lambda data: data.decode("latin-1"))
    with pytest.raises(AssertionError):
        engine_stream(bytes([2, 0, 0, 0, 0, 0, 0, 3]) + bytes(4) + b"\x1b[2")
