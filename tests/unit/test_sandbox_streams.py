"""The engine's stream: frames from stdout, the log from stderr, whatever the pieces."""

import contextlib
import itertools
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.connection import Connection
from sandbox.containers.streams import Frame, FrameReader, Stream
from sandbox.log_reader import LogReader
from sealed_task import frames
from sealed_task.frames import Kind

STDOUT, STDERR = 1, 2
MOST = 64


class Response:
    """What the HTTP library's answer is to a connection: something to close."""

    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        """Count it."""
        self.closed += 1


class Pair:
    """A stream, and the engine's end of it."""

    def __init__(self, first: bytes = b"", most: int = MOST) -> None:
        ours, self.engine = socket.socketpair()
        ours.setblocking(False)
        self.engine.settimeout(10)
        self.response = Response()
        self.log = LogReader()
        self.stream = Stream(Connection(ours, first, self.response), self.log, most)

    def close(self) -> None:
        """Close both ends."""
        self.stream.close()
        self.engine.close()

    def frames(self) -> list[tuple[int, bytes, int]]:
        """The frames that are complete."""
        found = []
        while frame := self.stream.next_frame():
            found.append((frame.kind, bytes(frame.payload), frame.nonce))
        return found


Make = Callable[..., Pair]


@pytest.fixture
def pair() -> Iterator[Make]:
    """Makes pairs, and closes them."""
    made: list[Pair] = []

    def make(**options: Any) -> Pair:
        made.append(Pair(**options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def piece(kind: int, data: bytes) -> bytes:
    """One piece of the engine's multiplex format."""
    return struct.pack(">B3xI", kind, len(data)) + data


def cut(data: bytes, at: Sequence[int]) -> list[bytes]:
    """The data in pieces, none of them empty."""
    edges = sorted({0, len(data), *(position % (len(data) + 1) for position in at)})
    return [data[a:b] for a, b in itertools.pairwise(edges)]


kinds = st.sampled_from(list(Kind))
messages = st.lists(
    st.tuples(kinds, st.binary(max_size=MOST), st.integers(0, 2**64 - 1)), max_size=6
)
positions = st.lists(st.integers(0, 100_000), max_size=12)


# ---- frames out of bytes ----------------------------------------------------------------------


def read(reader: FrameReader, data: bytes) -> list[tuple[int, bytes, int]]:
    """The frames that some bytes complete."""
    return [(f.kind, bytes(f.payload), f.nonce) for f in reader.feed(data)]


@given(messages, positions)
def test_frames_come_whole_and_in_order(sent: list[tuple[Kind, bytes, int]], at: list[int]) -> None:
    """In whatever pieces the bytes come, the frames are those that were sent."""
    data = b"".join(frames.pack(*message) for message in sent)
    reader = FrameReader(MOST)
    received = [frame for part in cut(data, at) for frame in read(reader, part)]
    assert received == sent


def test_an_empty_frame_is_complete_with_its_header() -> None:
    """No further byte is waited for when the length is zero."""
    assert read(FrameReader(0), frames.pack(Kind.DONE)) == [(Kind.DONE, b"", 0)]


def test_a_length_over_the_bound_is_refused_with_the_header() -> None:
    """A frame that says it is larger than accepted is refused before its first byte is kept."""
    reader = FrameReader(MOST)
    with pytest.raises(frames.BrokenFrame, match="at most 64"):
        list(reader.feed(frames.HEADER.pack(frames.MAGIC, Kind.ANSWER, 0, MOST + 1, 0)))
    assert len(reader._payload) == 0


@given(st.lists(st.tuples(st.integers(0, 3 * MOST), st.binary(max_size=2 * MOST)), max_size=8))
def test_no_more_than_the_bound_is_held(lies: list[tuple[int, bytes]]) -> None:
    """Whatever lengths are promised and whatever follows, at most the bound is held."""
    reader = FrameReader(MOST)
    for length, data in lies:
        header = frames.HEADER.pack(frames.MAGIC, Kind.ANSWER, 0, length, 0)
        with contextlib.suppress(frames.BrokenFrame):
            list(reader.feed(header + data))
        assert len(reader._payload) <= MOST
        assert len(reader._head) < frames.HEADER.size + 1


def test_a_bound_can_be_raised_between_frames() -> None:
    """The relay accepts as much as it has asked for, and no more afterwards."""
    reader = FrameReader(0)
    reader.most = 5
    assert read(reader, frames.pack(Kind.ANSWER, b"12345")) == [(Kind.ANSWER, b"12345", 0)]
    reader.most = 0
    with pytest.raises(frames.BrokenFrame):
        list(reader.feed(frames.pack(Kind.ANSWER, b"1")))


def test_a_frame_is_no_view_of_the_callers_buffer() -> None:
    """A payload stays what it was when the buffer that it came in is used again."""
    buffer = bytearray(frames.pack(Kind.ANSWER, b"first"))
    (frame,) = FrameReader(MOST).feed(buffer)
    buffer[-5:] = b"later"
    assert bytes(frame.payload) == b"first"
    with pytest.raises(TypeError):
        frame.payload[0] = 0


@given(st.binary(max_size=100), positions)
def test_any_bytes_are_frames_or_broken(data: bytes, at: list[int]) -> None:
    """Garbage raises `BrokenFrame` and nothing else."""
    reader = FrameReader(MOST)
    try:
        found = [frame for part in cut(data, at) for frame in reader.feed(part)]
    except frames.BrokenFrame:
        return
    assert all(len(frame.payload) <= MOST for frame in found)


def test_a_frames_text_is_a_text_whatever_it_is() -> None:
    """A payload that is no UTF-8 does not raise where it is shown."""
    assert Frame(1, memoryview(b"a\xffb"), 0).text() == "a\ufffdb"


# ---- the multiplexed stream -------------------------------------------------------------------


@settings(max_examples=60)
@given(messages, st.binary(max_size=80), positions, positions, st.randoms(use_true_random=False))
def test_frames_and_log_come_apart_whatever_the_pieces(
    sent: list[tuple[Kind, bytes, int]],
    log: bytes,
    frame_cuts: list[int],
    wire_cuts: list[int],
    random: Any,
) -> None:
    """Stdout and stderr arrive each in its own order, cut anywhere by engine and socket."""
    data = b"".join(frames.pack(*message) for message in sent)
    out = [piece(STDOUT, part) for part in cut(data, frame_cuts)]
    err = [piece(STDERR, part) for part in cut(log, frame_cuts)]
    mixed = []
    while out or err:
        source = out if out and (not err or random.random() < 0.5) else err
        mixed.append(source.pop(0))
    wire = b"".join(mixed)
    first, *rest = cut(wire, wire_cuts) or [b""]
    pair = Pair(first=first)
    try:
        received = pair.frames()
        for part in rest:
            pair.engine.sendall(part)
            pair.stream.receive()
            received += pair.frames()
        assert received == sent
        assert pair.log.total == len(log)
        assert bytes(pair.log._head) == log
        assert (pair.stream.broken, pair.stream.closed) == ("", False)
    finally:
        pair.close()


def test_bytes_that_came_with_the_answers_head_are_first(pair: Make) -> None:
    """What the HTTP library had buffered is read before the socket."""
    whole = piece(STDOUT, frames.pack(Kind.READY) + frames.pack(Kind.DONE))
    made = pair(first=whole[:30])
    assert made.frames() == [(Kind.READY, b"", 0)]
    made.engine.sendall(whole[30:])
    made.stream.receive()
    assert made.frames() == [(Kind.DONE, b"", 0)]


def test_an_empty_piece_is_nothing(pair: Make) -> None:
    """A piece of length zero does not stop the stream."""
    made = pair(
        first=piece(STDOUT, b"") + piece(STDERR, b"") + piece(STDOUT, frames.pack(Kind.DONE))
    )
    assert made.frames() == [(Kind.DONE, b"", 0)]


def test_nothing_there_is_no_end(pair: Make) -> None:
    """Reading when nothing has come neither waits nor closes."""
    made = pair()
    made.stream.receive()
    assert not made.stream.closed
    assert made.stream.next_frame() is None


def test_the_end_is_noticed_after_the_last_byte(pair: Make) -> None:
    """What was sent before the other side closed is still read."""
    made = pair()
    made.engine.sendall(piece(STDOUT, frames.pack(Kind.DONE)) + piece(STDERR, b"bye"))
    made.engine.close()
    made.stream.receive()
    made.stream.receive()
    assert made.stream.closed
    assert made.frames() == [(Kind.DONE, b"", 0)]
    assert made.log.text() == "bye"


def test_an_end_within_a_frame_is_no_frame(pair: Make) -> None:
    """Half a frame is never handed out."""
    made = pair()
    made.engine.sendall(piece(STDOUT, frames.pack(Kind.ANSWER, b"12345")[:-1]))
    made.engine.close()
    made.stream.receive()
    made.stream.receive()
    assert made.stream.closed
    assert made.frames() == []


def test_a_broken_stream_is_only_counted(pair: Make) -> None:
    """After bytes that are no frame nothing is kept or parsed, and all further bytes count."""
    made = pair()
    made.engine.sendall(piece(STDOUT, frames.pack(Kind.READY)))
    made.stream.receive()
    made.engine.sendall(piece(STDOUT, b"score: 0.0001 it is the best"))
    made.stream.receive()
    assert "no frame" in made.stream.broken
    for _ in range(100):
        made.engine.sendall(piece(STDOUT, frames.pack(Kind.DONE, b"x" * 40)))
        made.stream.receive()
    assert made.frames() == [(Kind.READY, b"", 0)]
    assert made.log.total == 28 + 100 * (frames.HEADER.size + 40)
    assert made.log.text() == ""
    assert len(made.stream.reader._payload) == 0


def test_a_lying_length_breaks_the_stream(pair: Make) -> None:
    """A frame that says it is larger than accepted is not waited for."""
    made = pair()
    header = frames.HEADER.pack(frames.MAGIC, Kind.ANSWER, 0, 2**32 - 1, 0)
    made.engine.sendall(piece(STDOUT, header))
    made.stream.receive()
    assert "at most 64" in made.stream.broken


def test_the_log_goes_on_when_frames_are_broken(pair: Make) -> None:
    """What the candidate writes to stderr is still its log."""
    made = pair()
    made.engine.sendall(piece(STDOUT, b"x" * 16) + piece(STDERR, b"still here"))
    made.stream.receive()
    assert made.stream.broken
    assert "still here" in made.log.text()


class Endless:
    """A socket that a flood has filled again before each read."""

    def __init__(self) -> None:
        self.reads = 0

    def recv(self, size: int) -> bytes:
        """As much as is asked for."""
        self.reads += 1
        assert self.reads < 1000, "the reader never comes back to its clock"
        data = piece(STDERR, b"x" * 1016)
        return data * (size // len(data))


def test_a_flood_does_not_keep_the_reader(pair: Make) -> None:
    """Who writes faster than we read can't keep us from looking at the clock."""
    made = pair()
    real = made.stream._socket
    made.stream._socket = Endless()  # type: ignore[assignment]
    made.stream.receive()
    assert made.log.total > 0
    made.stream._socket = real


def test_a_large_frame_comes_whole(pair: Make) -> None:
    """A frame of many reads, in the engine's pieces of 32 KiB, arrives as it was sent."""
    made = pair(most=8 << 20)
    payload = bytes(range(256)) * (4 << 12)
    data = frames.pack(Kind.ANSWER, payload, 9)
    wire = b"".join(piece(STDOUT, data[n : n + 32768]) for n in range(0, len(data), 32768))
    sender = threading.Thread(target=made.engine.sendall, args=(wire,))
    sender.start()
    found: list[tuple[int, bytes, int]] = []
    while not found and not made.stream.closed:
        made.stream.receive()
        found = made.frames()
    sender.join()
    assert found == [(Kind.ANSWER, payload, 9)]


# ---- out --------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(kinds, st.lists(st.binary(max_size=200), max_size=4), st.integers(0, 2**64 - 1))
def test_parts_are_one_frame(kind: Kind, parts: list[bytes], nonce: int) -> None:
    """A payload in parts leaves as one frame."""
    pair = Pair()
    try:
        pair.stream.send(kind, *parts, nonce=nonce)
        assert not pair.stream.wants_to_send
        with pair.engine.makefile("rb") as reader:
            assert frames.read(reader) == (kind, b"".join(parts), nonce)
    finally:
        pair.close()


def test_what_the_socket_does_not_take_waits(pair: Make) -> None:
    """Large frames go out in as many sends as it takes, in order, and nothing blocks."""
    made = pair()
    payloads = [bytes([n]) * (1 << 20) for n in range(4)]
    for n, payload in enumerate(payloads):
        made.stream.send(Kind.QUESTION, memoryview(payload)[:10], payload[10:], nonce=n)
    made.stream.send_raw(b"1.5\n")
    assert made.stream.wants_to_send
    received = bytearray()
    wanted = sum(map(len, payloads)) + 4 * frames.HEADER.size + 4
    while len(received) < wanted:
        received += made.engine.recv(1 << 20)
        made.stream.flush()
    assert not made.stream.wants_to_send
    reader = FrameReader(1 << 20)
    assert read(reader, received[:-4]) == [(Kind.QUESTION, p, n) for n, p in enumerate(payloads)]
    assert received[-4:] == b"1.5\n"


def test_sending_to_nobody_closes(pair: Make) -> None:
    """A peer that has gone is noticed and raises nothing: what waits is dropped."""
    made = pair()
    made.engine.close()
    for _ in range(3):
        made.stream.send(Kind.QUESTION, b"x" * 100)
    assert made.stream.closed
    assert not made.stream.wants_to_send


def test_closing_twice_is_fine(pair: Make) -> None:
    """The other side sees the end once, and the answer's object is given back."""
    made = pair()
    made.stream.close()
    made.stream.close()
    assert made.engine.recv(1) == b""
    assert made.response.closed
    made.stream.receive()
    made.stream.flush()
    assert made.stream.closed
