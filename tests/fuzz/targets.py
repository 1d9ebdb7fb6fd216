"""What every reader of hostile bytes must keep, whatever the bytes: one function a reader.

Each takes bytes and raises `AssertionError` where a promise does not hold, or whatever the reader
should not have raised. Hypothesis calls them in the tests, Atheris in `make fuzz`.
"""

import contextlib
import json
import unicodedata
import zlib
from collections.abc import Callable

import msgspec

from controller.candidate import Unfit
from controller.decision import Decision
from controller.llm.reply import parsed
from controller.message import commit_message
from controller.text import one_line, printable
from controller.verify.envelope import Broken, read_receipt
from controller.visible import Seen
from sandbox import limits
from sandbox.api import (
    CANDIDATE_BYTES,
    CANDIDATE_COMPRESSED_BYTES,
    Line,
    Outcome,
    TaskFiles,
    TaskSettings,
    TrialRequest,
)
from sandbox.connection import Connection
from sandbox.containers.streams import Frame, FrameReader, Stream
from sandbox.errors import BadCandidate, BadRequest, BadTask
from sandbox.log_reader import LogReader, last_line
from sandbox.log_reader import one_line as reason_line
from sandbox.tasks.candidate import check_candidate, warm_modules
from sandbox.tasks.settings import BOUNDS, parse_program
from sandbox.trials.relay import CandidateFailed
from sandbox.trials.results import check_key
from sandbox.trials.trial import OurFault, _scored
from sandbox.wire import Name, Sides
from sealed_task import frames
from tests.fuzz.seeds import KEY, RECEIPT
from tests.support.tasks import TINY

CHAMPION = (TINY / "train.py").read_text()
MOST = 512
"""Longest payload that the frame readers here accept."""
_HEAD, _TAIL = 64, 128
_TRAILERS = ["Run", "Experiment", "Agent", "Outcome", "Score", "Decision"]


def pieces(data: bytes) -> list[bytes]:
    """The rest of `data`, cut as its first bytes say: readers must not care."""
    sizes, rest = data[:4], data[4:]
    cut = []
    for size in sizes:
        cut.append(rest[: size + 1])
        rest = rest[size + 1 :]
    return [*cut, rest]


def frame_reader(data: bytes) -> None:
    """The same frames in whatever pieces they come, none over the limit, and no byte made up."""
    whole, parts = _frames([data[4:]]), _frames(pieces(data))
    assert whole == parts
    packed = b""
    for kind, payload, nonce in parts[0]:
        assert len(payload) <= MOST
        packed += frames.HEADER.pack(frames.MAGIC, kind, 0, len(payload), nonce) + payload
    assert data[4:].startswith(packed)


def _frames(parts: list[bytes]) -> tuple[list[tuple[int, bytes, int]], bool]:
    reader, found = FrameReader(MOST), list[Frame]()
    broken = False
    with contextlib.suppress(frames.BrokenFrame):
        broken = True
        for part in parts:
            for frame in reader.feed(part):
                found.append(frame)
            assert len(reader._head) < frames.HEADER.size
            assert len(reader._payload) <= MOST
        broken = False
    return [(frame.kind, bytes(frame.payload), frame.nonce) for frame in found], broken


class _Closed:
    """Stands for a connection that nothing more comes from."""

    def close(self) -> None:
        """Nothing is open."""

    def fileno(self) -> int:
        return -1


def engine_stream(data: bytes) -> None:
    """Nothing is counted twice, or held beyond its cap; a broken stream stays broken."""
    log = LogReader(_HEAD, _TAIL)
    closed = _Closed()
    stream = Stream(Connection(closed, data[:8], closed), log, MOST)  # type: ignore[arg-type]
    for part in pieces(data[8:]):
        was = stream.broken
        stream._demultiplex(memoryview(part))
        assert not was or stream.broken == was
    held = 0
    while frame := stream.next_frame():
        assert len(frame.payload) <= MOST
        frame.text()
        held += frames.HEADER.size + len(frame.payload)
    assert log.total <= len(data)
    assert held <= len(data)
    assert len(stream.broken) < 200
    _check_text(log.text(), _HEAD + _TAIL)


def log_reader(data: bytes) -> None:
    """Head and tail, clean, whatever the pieces; what is left out is counted."""
    log = LogReader(_HEAD, _TAIL)
    for part in pieces(data):
        log.feed(part)
        assert sum(map(len, log._tail)) <= 2 * _TAIL + max(map(len, pieces(data)))
    assert log.total == max(0, len(data) - 4)
    text = log.text()
    _check_text(text, _HEAD + _TAIL)
    for line in (reason_line(text), last_line(text)):
        assert len(line) <= limits.REASON
        assert len(line.splitlines()) <= 1


def _check_text(text: str, kept: int) -> None:
    # One byte is at most one letter; the line that counts what is left out comes on top.
    assert len(text) <= kept + 60
    assert not [c for c in text if c not in "\n\t" and unicodedata.category(c)[0] == "C"]


def candidate(data: bytes) -> None:
    """Taken only within its bounds; nothing of it is parsed."""
    text = data.decode("utf-8", "surrogateescape")
    with contextlib.suppress(BadCandidate):
        check_candidate(text)
        assert len(text.encode()) <= CANDIDATE_BYTES
        assert len(zlib.compress(text.encode(), 9)) <= CANDIDATE_COMPRESSED_BYTES
    assert set(warm_modules(text)) <= {"torch"}


def hypothesis_text(data: bytes) -> None:
    """One subject line, its text quoted, and the harness's trailers last, as ours alone."""
    text = data.decode("utf-8", "surrogateescape")
    for shown in (printable(text, 400), one_line(text, 100)):
        assert not [c for c in shown if c not in "\n\t" and not c.isprintable()]
    assert len(one_line(text, 100).splitlines()) <= 1
    seen = Seen(
        number=7,
        agent="search",
        candidate="",
        hypothesis=text,
        outcome=Outcome.scored,
        decision=Decision.discarded,
        score=1.25,
        rehearsal_score=None,
        reason="",
        log="",
        seconds=1,
    )
    lines = commit_message(seen, run="r", agent="search", metric="bits").splitlines()
    assert lines[0].startswith("7:")
    assert [line.split(":")[0] for line in lines[-6:]] == [f"Sealed-{name}" for name in _TRAILERS]
    assert all(line == "" or line.startswith(">") for line in lines[1:-6])


def front_matter(data: bytes) -> None:
    """Settings within their bounds, or a `BadTask`; never anything else."""
    text = data.decode("utf-8", "surrogateescape")
    for program in (text, f"---\n{text}\n---\n"):
        with contextlib.suppress(BadTask):
            settings, prose = parse_program(program)
            assert isinstance(settings, TaskSettings)
            assert prose == prose.strip()
            for name, (low, high) in BOUNDS.items():
                assert low <= getattr(settings, name) <= high


def api_message(data: bytes) -> None:
    """A body is one of the contract's types, with keys that are safe as names, or is refused."""
    for body in (TrialRequest, TaskFiles, Name, Sides, Line):
        with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
            found = msgspec.json.decode(data, type=body)
            # What was taken can be sent on.
            assert msgspec.json.decode(msgspec.json.encode(found), type=body) == found
    with contextlib.suppress(BadRequest):
        key = data.decode("latin-1")
        check_key(key)
        assert "/" not in key
        assert not key.startswith((".", "-"))


def scorers_score(data: bytes) -> None:
    """A finite score of finite values, or a fault: a number that is none is nobody's score."""
    length = data[0] if data else 0
    plain = json.dumps({"values": [data[1:].decode("latin-1")], "block": None, "slices": {}})
    for payload in (data, length.to_bytes(4, "little") + data[1:], plain.encode()):
        with contextlib.suppress(OurFault, CandidateFailed):
            scored = _scored(payload)
            assert abs(scored.mean) <= limits.VALUE


def models_reply(data: bytes) -> None:
    """A candidate that differs and that the sandbox may be sent, or a reason in a sentence."""
    found = parsed(data.decode(errors="surrogateescape"), CHAMPION)
    if isinstance(found, Unfit):
        assert 0 < len(found.reason) < 400
    else:
        assert found.source != CHAMPION
        assert len(found.source.encode()) <= CANDIDATE_BYTES


def receipt(data: bytes) -> None:
    """Only the very line that was signed is a receipt; anything else is refused as broken."""
    line = data.decode(errors="replace")
    with contextlib.suppress(Broken):
        read_receipt(line, KEY)
        assert line == RECEIPT


TARGETS: dict[str, Callable[[bytes], None]] = {
    "frames": frame_reader,
    "stream": engine_stream,
    "log": log_reader,
    "candidate": candidate,
    "hypothesis": hypothesis_text,
    "front-matter": front_matter,
    "api": api_message,
    "receipt": receipt,
    "score": scorers_score,
    "reply": models_reply,
}
"""By the name that `python -m tests.fuzz NAME` takes."""
