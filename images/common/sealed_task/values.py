"""Values on the wire: JSON for the structure, raw bytes for the arrays. Never pickles.

    u32 length of the JSON | JSON | array buffers, one after the other

In the JSON an array is `{"a": [dtype, shape]}` and a dict `{"d": [[key, value], …]}`; all else is
itself. Only trusted processes encode what trusted processes decode: questions and scores.
"""

import json
import math
import re
import struct
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Value: TypeAlias = (
    "bool | int | float | str | NDArray[Any] | Sequence[Value] | Mapping[str, Value] | None"
)
"""What a question may be."""

_LENGTH = struct.Struct("<I")
_DTYPE = re.compile(r"[<|][fiub]\d{1,2}")


def encode(value: Value) -> bytes:
    """The value as bytes. Raises `TypeError` for any type that is not a `Value`."""
    buffers: list[bytes] = []
    text = json.dumps(_plain(value, buffers), separators=(",", ":")).encode()
    return b"".join((_LENGTH.pack(len(text)), text, *buffers))


def decode(data: bytes) -> Value:
    """The value of `encode`; tuples come back as lists, arrays read-only.

    Raises `ValueError` for bytes that `encode` did not write.
    """
    try:
        (length,) = _LENGTH.unpack_from(data)
        plain = json.loads(data[_LENGTH.size : _LENGTH.size + length])
        value, end = _value(plain, data, _LENGTH.size + length)
    except (struct.error, TypeError, LookupError, OverflowError, RecursionError) as fault:
        raise ValueError(f"not an encoded value: {fault}") from None
    if end != len(data):
        raise ValueError(f"not an encoded value: {len(data) - end} bytes too many")
    return value


def _plain(value: Value, buffers: list[bytes]) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic) and not isinstance(value.item(), np.generic):
        return _plain(value.item(), buffers)
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "fiub":
            raise TypeError(f"an array of {value.dtype} cannot be in a question")
        array = np.ascontiguousarray(value, dtype=value.dtype.newbyteorder("<"))
        buffers.append(array.tobytes())
        return {"a": [array.dtype.str, list(value.shape)]}
    if isinstance(value, list | tuple):
        return [_plain(item, buffers) for item in value]
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise TypeError("a dict with keys that are no texts cannot be in a question")
        return {"d": [[key, _plain(item, buffers)] for key, item in value.items()]}
    raise TypeError(f"a {type(value).__name__} cannot be in a question")


def _value(plain: Any, data: bytes, at: int) -> tuple[Value, int]:
    if isinstance(plain, list):
        items: list[Value] = []
        for part in plain:
            item, at = _value(part, data, at)
            items.append(item)
        return items, at
    if not isinstance(plain, dict):
        return plain, at
    if "d" in plain:
        pairs: dict[str, Value] = {}
        for key, part in plain["d"]:
            pairs[key], at = _value(part, data, at)
        return pairs, at
    name, shape = plain["a"]
    if not _DTYPE.fullmatch(name) or any(type(extent) is not int or extent < 0 for extent in shape):
        raise ValueError(f"not an encoded value: array of {name!r}, shape {shape}")
    dtype = np.dtype(name)
    array = np.frombuffer(data, dtype=dtype, count=math.prod(shape), offset=at).reshape(shape)
    return array, at + array.nbytes
