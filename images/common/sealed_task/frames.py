"""Frames: the messages between the sandbox and the runners in the containers.

    2 bytes "sF" | u8 kind | u8 zero | u32 length | u64 nonce | payload

The same sixteen bytes in every direction. Who receives a frame decides the largest length it
accepts before it reads the payload. A question carries a nonce that its answer must repeat.
"""

import struct
from enum import IntEnum
from typing import BinaryIO

MAGIC = b"sF"
HEADER = struct.Struct("<2sBBIQ")
"""Magic, kind, zero, payload length, nonce."""
MOST_BYTES = 1 << 30
"""No frame is longer, whatever its receiver accepts."""


class Kind(IntEnum):
    """What a frame says."""

    # sandbox to the runner in a trainer or predictor
    CANDIDATE = 1
    QUESTION = 2
    # runner to sandbox
    READY = 10
    LOADED = 11
    ANSWER = 12
    FAULT = 13
    DONE = 14
    # scorer to sandbox
    OPEN = 20
    ASK = 21
    CLOSE = 22
    SCORE = 23
    INVALID = 24
    DISHONEST = 25
    BROKEN = 26
    # sandbox to scorer
    SPLIT = 30
    OPENED = 31
    REPLY = 32
    # prepare role, both ways
    PREPARE = 40
    PREPARED = 41
    VERIFY = 42


ASK = struct.Struct("<II?")
"""Head of an ASK payload: predictor's number, largest answer in bytes, whether it is timed."""
REPLY = struct.Struct("<d")
"""Head of a REPLY payload: seconds from question to answer by the relay's clock; 0 if untimed."""


class BrokenFrame(Exception):
    """Bytes that are no frame, or a frame that its receiver does not accept."""


def pack(kind: Kind, payload: bytes = b"", nonce: int = 0) -> bytes:
    """One frame as bytes."""
    return HEADER.pack(MAGIC, kind, 0, len(payload), nonce) + payload


def unpack_header(header: bytes, most: int) -> tuple[int, int, int]:
    """Kind, payload length and nonce of sixteen bytes.

    Raises `BrokenFrame` if they are no header, or the payload is over `most` bytes.
    """
    magic, kind, zero, length, nonce = HEADER.unpack(header)
    if magic != MAGIC or zero:
        raise BrokenFrame("these bytes are no frame")
    if length > min(most, MOST_BYTES):
        raise BrokenFrame(f"a frame of {length} bytes, where at most {most} are accepted")
    return kind, length, nonce


def write(stream: BinaryIO, kind: Kind, payload: bytes = b"", nonce: int = 0) -> None:
    """Write one frame and flush it."""
    stream.write(HEADER.pack(MAGIC, kind, 0, len(payload), nonce))
    stream.write(payload)
    stream.flush()


def read(stream: BinaryIO, most: int = MOST_BYTES) -> tuple[int, bytes, int]:
    """Read one frame: kind, payload, nonce.

    Raises `EOFError` at the end of the stream and `BrokenFrame` for anything but a frame.
    """
    header = _exactly(stream, HEADER.size)
    kind, length, nonce = unpack_header(header, most)
    return kind, _exactly(stream, length), nonce


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise EOFError("the other side closed the stream")
    return data
