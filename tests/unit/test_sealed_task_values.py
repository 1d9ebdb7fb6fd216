"""What questions and scores are on the wire."""

import contextlib
import json
import math
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from sealed_task import values

arrays = npst.arrays(
    dtype=st.one_of(
        npst.boolean_dtypes(),
        npst.integer_dtypes(endianness="?"),
        npst.unsigned_integer_dtypes(endianness="?"),
        npst.floating_dtypes(endianness="?"),
    ),
    shape=npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
anything = st.recursive(
    scalars | arrays,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def same(left: Any, right: Any) -> bool:
    """Equal in type and content; NaN is equal to itself, and 0.0 is not −0.0."""
    if isinstance(left, np.ndarray):
        if not isinstance(right, np.ndarray) or left.shape != right.shape:
            return False
        if left.dtype.newbyteorder("=") != right.dtype.newbyteorder("="):
            return False
        if left.dtype.kind != "f":
            return np.array_equal(left, right)
        signs = np.array_equal(np.signbit(left), np.signbit(right))
        return signs and np.array_equal(left, right, equal_nan=True)
    if type(left) is not type(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, float):
        # JSON has one NaN, whose sign means nothing.
        if math.isnan(left):
            return math.isnan(right)
        return left == right and math.copysign(1, left) == math.copysign(1, right)
    return bool(left == right)


def wire(plain: Any, buffers: bytes = b"") -> bytes:
    """The bytes of a JSON document that `encode` may never have written."""
    text = json.dumps(plain).encode()
    return struct.pack("<I", len(text)) + text + buffers


@given(anything)
def test_a_value_comes_back_as_it_went(value: Any) -> None:
    """Encoding and decoding changes neither type, shape, order of keys nor the sign of a zero."""
    assert same(values.decode(values.encode(value)), value)


def test_a_nan_of_either_sign_is_a_nan() -> None:
    """JSON has no word for a sign of what is no number."""
    assert same(values.decode(values.encode(-math.nan)), math.nan)


def test_tuples_become_lists_and_numpy_scalars_plain_numbers() -> None:
    """What JSON has no word for becomes its nearest plain value."""
    numbers: Any = (np.float64(0.5), np.int8(-3), np.bool_(True))
    plain = values.decode(values.encode(numbers))
    assert plain == [0.5, -3, True]
    assert isinstance(plain, list)
    assert [type(item) for item in plain] == [float, int, bool]


def test_decoded_arrays_are_read_only() -> None:
    """A predictor can't change a question that is still in use."""
    array = values.decode(values.encode(np.arange(3)))
    assert isinstance(array, np.ndarray)
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1


@pytest.mark.parametrize(
    "value",
    [
        b"bytes",
        {1, 2},
        1j,
        object(),
        {1: "key"},
        np.array(["text"]),
        np.array([1j]),
        np.array([None]),
        np.datetime64("2026-11-01"),
        np.longdouble(1),
        [{"deep": print}],
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_types_are_refused(value: Any) -> None:
    """Nothing that would need a pickle, or would come back as something else, is encoded."""
    with pytest.raises(TypeError):
        values.encode(value)


@given(st.binary(max_size=200))
def test_garbage_is_a_value_error(data: bytes) -> None:
    """Bytes that `encode` did not write decode to something harmless, or raise `ValueError`."""
    with contextlib.suppress(ValueError):
        values.decode(data)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "d", "x"]), inner, max_size=2)
    ),
    max_leaves=8,
)
lying_arrays = st.fixed_dictionaries(
    {
        "a": st.tuples(
            st.sampled_from(
                ["<f8", "|u1", "|b1", "<f3", "<i99", "|O", "<U4", "f4,,f4", ",", "", 7]
            ),
            st.lists(st.integers(-3, 2**70) | st.booleans() | st.floats(), max_size=3),
        )
    }
)


@given(json_values | lying_arrays, st.binary(max_size=64))
def test_well_formed_json_with_lies_in_it_is_a_value_error(plain: Any, buffers: bytes) -> None:
    """Dtypes, shapes and keys that fit nothing raise `ValueError`, and no other exception."""
    with contextlib.suppress(ValueError):
        values.decode(wire(plain, buffers))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xff\xff\xff{}",
        wire(None, b"more"),
        wire({"a": ["<f8", [1 << 40]]}),
        wire({"a": ["<f8", [1 << 80]]}),
        wire({"a": ["<f8", [-1]]}, bytes(8)),
        wire({"a": [None, [1]]}, bytes(8)),
        wire({"a": ["|O", [1]]}, bytes(8)),
        struct.pack("<I", 100_000) + b"[" * 100_000,
        struct.pack("<I", 4) + b"\xff\xfe\xfd\xfc",
    ],
    ids=[
        "empty",
        "length lies",
        "bytes left over",
        "a terabyte",
        "beyond an address",
        "negative",
        "no dtype",
        "objects",
        "deep",
        "no UTF-8",
    ],
)
def test_each_known_lie_is_refused(data: bytes) -> None:
    """Lengths, shapes and types that lie are refused before an array is made."""
    with pytest.raises(ValueError):  # noqa: PT011  (the text differs by lie)
        values.decode(data)
