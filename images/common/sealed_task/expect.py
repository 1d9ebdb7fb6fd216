"""What an answer must be: fixed by the scorer, checked before anything is allocated.

An answer travels as bare bytes: an array as its C-ordered little-endian buffer, a text as UTF-8.
There is nothing to parse, so the number of bytes is the only thing that a candidate decides.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sealed_task.contract import Invalid

MOST_ANSWER_BYTES = 256 * 1024 * 1024
"""The largest answer that a scorer may ask for."""

DTYPES = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1")
"""Types of an array's elements; `b1` is bool."""


@dataclass(frozen=True)
class Array:
    """An array answer: `dtype`, `shape`, and the closed range `low` to `high` of its elements.

    NaN is never in range. Without bounds, any finite number is.
    """

    dtype: Literal["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"]
    shape: tuple[int, ...]
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise ValueError(f"dtype {self.dtype!r} is not one of {', '.join(DTYPES)}")
        if any(size < 0 for size in self.shape) or self.nbytes > MOST_ANSWER_BYTES:
            raise ValueError(f"shape {self.shape} is negative or over {MOST_ANSWER_BYTES} bytes")

    @property
    def nbytes(self) -> int:
        """The one size that an answer can have."""
        size = int(self.dtype[1])
        for extent in self.shape:
            size *= extent
        return size

    def pack(self, answer: Any) -> bytes:
        """The answer as bytes, in the predictor. Raises `Invalid` in words for the candidate."""
        try:
            array = np.asarray(answer)
        except ValueError:  # lists of different lengths
            raise Invalid("the answer is not an array of numbers") from None
        if array.dtype.kind not in "fiub":
            raise Invalid(f"the answer is not an array of numbers but of {array.dtype}")
        if array.shape != self.shape:
            raise Invalid(f"the answer has shape {array.shape}, expected {self.shape}")
        try:
            return array.astype(f"<{self.dtype}", order="C", casting="same_kind").tobytes()
        except TypeError:
            raise Invalid(f"the answer is of {array.dtype}, expected {self.dtype}") from None

    def unpack(self, data: bytes) -> NDArray[Any]:
        """The answer from its bytes, in the scorer. Raises `Invalid`."""
        if len(data) != self.nbytes:
            raise Invalid(f"an answer has {len(data)} bytes, expected {self.nbytes}")
        if self.dtype == "b1":
            if max(data, default=0) > 1:
                raise Invalid("an answer has a bool that is neither 0 nor 1")
            return np.frombuffer(data, dtype=np.bool_).reshape(self.shape)
        array = np.frombuffer(data, dtype=f"<{self.dtype}").reshape(self.shape)
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise Invalid("an answer has a NaN or infinite element")
        if self.low is not None and array.size and bool(array.min() < self.low):
            raise Invalid(f"an answer has an element below {self.low}")
        if self.high is not None and array.size and bool(array.max() > self.high):
            raise Invalid(f"an answer has an element above {self.high}")
        return array


@dataclass(frozen=True)
class Text:
    """A text answer of at most `max_bytes` bytes of UTF-8."""

    max_bytes: int

    def __post_init__(self) -> None:
        if not 0 < self.max_bytes <= MOST_ANSWER_BYTES:
            raise ValueError(f"max_bytes {self.max_bytes} is not in 1 to {MOST_ANSWER_BYTES}")

    @property
    def nbytes(self) -> int:
        """The largest size that an answer can have."""
        return self.max_bytes

    def pack(self, answer: Any) -> bytes:
        """The answer as bytes, in the predictor. Raises `Invalid` in words for the candidate."""
        if not isinstance(answer, str):
            raise Invalid(f"the answer is a {type(answer).__name__}, expected a text")
        data = answer.encode("utf-8", errors="replace")
        if len(data) > self.max_bytes:
            raise Invalid(f"the answer has {len(data)} bytes, expected at most {self.max_bytes}")
        return data

    def unpack(self, data: bytes) -> str:
        """The answer from its bytes, in the scorer. Raises `Invalid`."""
        if len(data) > self.max_bytes:
            raise Invalid(f"an answer has {len(data)} bytes, expected at most {self.max_bytes}")
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            raise Invalid("an answer is not UTF-8") from None


Expect = Array | Text
"""What an answer may be."""


def to_plain(expect: Expect) -> list[Any]:
    """For the question's frame; `from_plain` is its inverse."""
    if isinstance(expect, Text):
        return ["text", expect.max_bytes]
    return ["array", expect.dtype, list(expect.shape)]


def from_plain(plain: Any) -> Expect:
    """In the predictor, where ranges are not told: a scorer may take them from its labels."""
    if plain[0] == "text":
        return Text(plain[1])
    return Array(plain[1], tuple(plain[2]))


_at_hand: list[Expect] = []


def expected() -> Expect:
    """What the answer to the question at hand must be; for the function that `load` returns.

    Its type and shape, or its most bytes, as in the scorer's `ask`. Anywhere else it raises
    `LookupError`.
    """
    if not _at_hand:
        raise LookupError("no question is asked here: `expected` is for the function of `load`")
    return _at_hand[0]


def set_expected(expect: Expect) -> None:
    """For the predictor's runner, before each question."""
    _at_hand[:] = [expect]
