"""What an answer must be, on both sides: `pack` in the predictor, `unpack` in the scorer."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from sealed_task import Array, Expect, Invalid, Text
from sealed_task import expect as expects
from sealed_task.expect import (
    DTYPES,
    MOST_ANSWER_BYTES,
    expected,
    from_plain,
    set_expected,
    to_plain,
)

ROW = Array("f8", (3,), 0, 1)


def packed(*numbers: float) -> bytes:
    """A row's bytes, whatever is in it: what a predictor's process may send."""
    return np.array(numbers, dtype="<f8").tobytes()


@given(st.data())
def test_an_array_of_the_right_type_and_shape_passes_unchanged(data: st.DataObject) -> None:
    """Every dtype and shape comes out of the scorer's check as it went into the predictor's."""
    dtype: Any = data.draw(st.sampled_from(DTYPES))
    shape = data.draw(npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
    numbers = {"allow_nan": False, "allow_infinity": False} if dtype[0] == "f" else None
    array = data.draw(npst.arrays(dtype, shape, elements=numbers))
    expect = Array(dtype, shape)
    wire = expect.pack(array)
    assert len(wire) == expect.nbytes
    answer = expect.unpack(wire)
    assert answer.shape == shape
    assert answer.dtype == np.dtype(dtype)
    assert np.array_equal(answer, array)


@given(st.binary(max_size=64))
def test_any_bytes_are_a_valid_row_or_invalid(data: bytes) -> None:
    """The scorer's check ends in numbers within the range or in `Invalid`, for all bytes."""
    try:
        answer = ROW.unpack(data)
    except Invalid:
        return
    assert answer.shape == (3,)
    assert ((answer >= 0) & (answer <= 1)).all()


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        ((np.nan, 0, 0), "NaN"),
        ((np.inf, 0, 0), "infinite"),
        ((0, 0, -np.inf), "infinite"),
        ((0, 0, -1e-9), "below 0"),
        ((0, 1 + 1e-9, 0), "above 1"),
        ((0.5,), "8 bytes, expected 24"),
        ((0.5,) * 4, "32 bytes, expected 24"),
        ((), "0 bytes, expected 24"),
    ],
    ids=str,
)
def test_the_scorer_refuses_numbers_out_of_range_and_sizes_that_differ(
    numbers: tuple[float, ...], reason: str
) -> None:
    """NaN, infinity, a number past a bound and one element that would broadcast are invalid."""
    with pytest.raises(Invalid, match=reason):
        ROW.unpack(packed(*numbers))


def test_both_bounds_belong_to_the_range_and_a_negative_zero_is_a_zero() -> None:
    """The range is closed, and −0.0 passes a lower bound of 0 because it equals it."""
    answer = ROW.unpack(packed(-0.0, 0, 1))
    assert answer.tolist() == [0, 0, 1]


def test_without_bounds_any_finite_number_passes() -> None:
    """A range is the scorer's choice, being a number is not."""
    free = Array("f8", (1,))
    assert free.unpack(packed(-1e300)).tolist() == [-1e300]
    with pytest.raises(Invalid, match="NaN"):
        free.unpack(packed(np.nan))


def test_integers_and_bools_have_ranges_too() -> None:
    """A class number past the last class and a bool of 2 are invalid."""
    classes = Array("i8", (2,), 0, 9)
    assert classes.unpack(np.array([0, 9]).tobytes()).tolist() == [0, 9]
    with pytest.raises(Invalid, match="above 9"):
        classes.unpack(np.array([0, 10]).tobytes())
    with pytest.raises(Invalid, match="below 0"):
        classes.unpack(np.array([-1, 0]).tobytes())
    flags = Array("b1", (2,))
    assert flags.unpack(b"\0\1").tolist() == [False, True]
    with pytest.raises(Invalid, match="bool"):
        flags.unpack(b"\0\2")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (0.5, r"shape \(\), expected \(3,\)"),
        ([0.5], r"shape \(1,\), expected \(3,\)"),
        ([[0.5, 0.5, 0.5]], r"shape \(1, 3\), expected \(3,\)"),
        ([1j, 0, 0], "complex"),
        (["a", "b", "c"], "not an array of numbers"),
        ([[1], [1, 2], []], "not an array of numbers"),
        (None, "not an array of numbers"),
        ({"a": 1}, "not an array of numbers"),
        pytest.param(object(), "not an array of numbers", id="object"),
    ],
    ids=str,
)
def test_the_predictor_tells_the_candidate_what_is_wrong(answer: Any, reason: str) -> None:
    """A wrong type or shape is named where the candidate can still read it."""
    with pytest.raises(Invalid, match=reason):
        ROW.pack(answer)


def test_numbers_are_widened_and_narrowed_but_never_change_kind() -> None:
    """float32 may become float64 and int become float; float never becomes int."""
    assert ROW.unpack(ROW.pack(np.array([0, 1, 0], dtype="f4"))).tolist() == [0, 1, 0]
    assert ROW.unpack(ROW.pack([True, False, True])).tolist() == [1, 0, 1]
    assert ROW.unpack(ROW.pack(np.array([0, 1, 1], dtype=">f8"))).tolist() == [0, 1, 1]
    with pytest.raises(Invalid, match="float64, expected i8"):
        Array("i8", (1,)).pack([0.5])


def test_an_answer_object_with_its_own_methods_is_only_its_numbers() -> None:
    """`__array__` gives plain bytes, and `__eq__` and `__reduce__` never reach the scorer."""

    class Sly:
        def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
            return np.array([0.25, 0.25, 0.5])

        def __eq__(self, other: object) -> bool:
            raise AssertionError("compared")

        def __reduce__(self) -> Any:
            raise AssertionError("pickled")

        __hash__ = None  # type: ignore[assignment]

    class SlyArray(np.ndarray[Any, Any]):
        def __eq__(self, other: object) -> Any:
            raise AssertionError("compared")

        __hash__ = None

    for answer in (Sly(), np.array([0.25, 0.25, 0.5]).view(SlyArray)):
        wire = ROW.pack(answer)
        assert type(wire) is bytes
        assert type(ROW.unpack(wire)) is np.ndarray
        assert ROW.unpack(wire).tolist() == [0.25, 0.25, 0.5]


def test_an_answer_with_no_elements_is_an_array_like_any_other() -> None:
    """A shape with a zero in it needs zero bytes, and bounds have nothing to check."""
    empty = Array("f8", (0, 10), 0, 1)
    assert empty.unpack(empty.pack(np.zeros((0, 10)))).shape == (0, 10)


@given(st.text(max_size=200))
def test_texts_within_the_limit_pass_unchanged(text: str) -> None:
    """What is UTF-8 and short enough comes out as it went in."""
    expect = Text(1000)
    assert expect.unpack(expect.pack(text)) == text


def test_a_text_that_cannot_be_encoded_becomes_one_that_can() -> None:
    """A lone surrogate is sent as a question mark, and does not end the predictor."""
    expect = Text(10)
    assert expect.unpack(expect.pack("a\ud800b")) == "a?b"


@pytest.mark.parametrize(
    ("data", "reason"), [(b"12345", "5 bytes, expected at most 4"), (b"\xff\xfe", "not UTF-8")]
)
def test_the_scorer_refuses_texts_that_are_too_long_or_no_text(data: bytes, reason: str) -> None:
    """Both the limit and the encoding are checked on the scorer's side."""
    with pytest.raises(Invalid, match=reason):
        Text(4).unpack(data)


@pytest.mark.parametrize(
    ("answer", "reason"), [("ééé", "6 bytes, expected at most 4"), (b"ab", "a bytes, expected")]
)
def test_the_predictor_refuses_texts_that_are_too_long_or_no_text(answer: Any, reason: str) -> None:
    """The limit counts bytes, not characters."""
    with pytest.raises(Invalid, match=reason):
        Text(4).pack(answer)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Array("O", (1,)),  # type: ignore[arg-type]
        lambda: Array("f16", (1,)),  # type: ignore[arg-type]
        lambda: Array("f8", (-1,)),
        lambda: Array("f8", (MOST_ANSWER_BYTES // 8 + 1,)),
        lambda: Array("f8", (1 << 40, 1 << 40)),
        lambda: Text(0),
        lambda: Text(MOST_ANSWER_BYTES + 1),
    ],
)
def test_a_scorer_that_expects_the_impossible_learns_it_at_once(make: Any) -> None:
    """An expectation of unknown type, or too large to be safe, can't be made."""
    with pytest.raises(ValueError, match=r"is (not|negative)"):
        make()


@pytest.mark.parametrize("expect", [Text(9), Array("u2", (2, 3)), Array("f4", ())], ids=str)
def test_a_predictor_learns_type_and_shape(expect: Expect) -> None:
    """What a question says of its answer is enough to make the predictor's own check."""
    assert from_plain(to_plain(expect)) == expect


def test_a_predictor_does_not_learn_the_range() -> None:
    """Ranges are the scorer's alone."""
    assert from_plain(to_plain(Array("f8", (2,), -3, 7))) == Array("f8", (2,))


def test_the_answer_at_hand_is_told_while_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `load` returned can ask for type and shape; anywhere else there is none to tell."""
    monkeypatch.setattr(expects, "_at_hand", [])
    with pytest.raises(LookupError, match="no question"):
        expected()
    set_expected(Text(3))
    set_expected(Array("f4", (2,)))
    assert expected() == Array("f4", (2,))
