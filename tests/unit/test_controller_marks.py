"""Search marks in a train.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.agents.marks import Choice, Range, marked
from controller.errors import Unusable

SOURCE = '''\
"""Not a mark: X = 1  # search: int 1 2"""
LEARNING_RATE = 3e-3  # search: log 1e-4 1e-1
HIDDEN: int = 32# search: int 8 256
WIDTH = 1_024   #search:log int 8 2048
SHIFT = -0.5  # search: -1 1
ACTIVATION = 'relu'  # search: choice relu gelu tanh
BATCH = 32  # search: choice 16 32 64
BIAS = True  # search: choice True False
TEXT = "# search: int 1 2"  # no mark
def train():
    inner = 2  # search: int 1 4
'''


def test_every_kind_of_mark_is_found() -> None:
    """Floats, integers and choices, with name, value and domain; strings hold no marks."""
    found = {constant.name: constant for constant in marked(SOURCE).constants}
    assert {name: constant.value for name, constant in found.items()} == {
        "LEARNING_RATE": 3e-3,
        "HIDDEN": 32,
        "WIDTH": 1024,
        "SHIFT": -0.5,
        "ACTIVATION": "'relu'",
        "BATCH": "32",
        "BIAS": "True",
        "inner": 2,
    }
    assert found["LEARNING_RATE"].domain == Range(1e-4, 1e-1, integer=False, log=True)
    assert found["WIDTH"].domain == Range(8, 2048, integer=True, log=True)
    assert found["ACTIVATION"].domain == Choice(("'relu'", "'gelu'", "'tanh'"))


def test_a_value_takes_the_place_of_the_old_one_and_nothing_else_changes() -> None:
    """Comments, spaces and the spelling of unchanged values stay."""
    new = marked(SOURCE).with_values((0.012, 32, 1024, 0.25, "'tanh'", "64", "False", 2))
    assert new == (
        SOURCE.replace("3e-3", "0.012")
        .replace("-0.5", "0.25")
        .replace("'relu'", "'tanh'")
        .replace("BATCH = 32", "BATCH = 64")
        .replace("BIAS = True", "BIAS = False")
    )
    compile(new, "train.py", "exec")


@given(
    before=st.text(alphabet="ab=#'(\\ \t\f\r\nä🙂", max_size=40),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_the_file_around_a_value_is_kept_byte_for_byte(before: str, end: str) -> None:
    """Whatever stands before a mark: either it can't be read, or only the value is replaced."""
    line = f"RATE = 0.5  # search: 0 1{end}"
    try:
        found = marked(before + end + line)
    except Unusable:
        return
    if found.constants:
        assert found.with_values((0.25,)) == before + end + line.replace("0.5", "0.25")
    assert found.with_values(found.values) == before + end + line


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("# search: int 1 2", "belongs behind"),
        ("f(X)  # search: int 1 2", "belongs behind"),
        ("X.y = 1  # search: int 1 2", "belongs behind"),
        ("X = 1 + 1  # search: int 1 2", "must be one number"),
        ("X = f(1)  # search: int 1 2", "must be one number"),
        ("X = (1)  # search: int 1 2", "must be one number"),
        ("X =  # search: int 1 2", "must be one number"),
        ("X = 1  # search:", "low and high"),
        ("X = 1  # search: 1", "low and high"),
        ("X = 1  # search: int 1 2 3", "low and high"),
        ("X = 1  # search: int int 1 2", "low and high"),
        ("X = 1  # search: 1 int 2", "low and high"),
        ("X = 1  # search: lg 1 2", "low and high"),
        ("X = 1  # search: one two", "one number"),
        ("X = 1  # search: nan 2", "one number"),
        ("X = 1  # search: 0 inf", "one number"),
        ("X = 1.5  # search: int 1 2", "one integer"),
        ("X = 'a'  # search: int 1 2", "one integer"),
        ("X = 1  # search: int 2 1", "low must be below high"),
        ("X = 1  # search: 1 1", "low must be below high"),
        ("X = 1  # search: log 0 2", "begins above 0"),
        ("X = 5  # search: int 1 2", "outside its range"),
        ("X = 'a'  # search: choice a", "two or more"),
        ("X = 'a'  # search: choice a a", "two or more"),
        ("X = 'a'  # search: choice b c", "not among its choices"),
        ("X = 'a'  # search: choice a b;", "words of letters"),
        ("X = 1  # search: choice 1 a", "of one kind"),
        ("X = y  # search: choice y z", "of one kind"),
        ("X = '''a'''  # search: choice a b", "of one kind"),
    ],
)
def test_a_bad_mark_is_named_with_its_line(line: str, message: str) -> None:
    """One error with the line's number, what is wrong, and an example that is right."""
    with pytest.raises(Unusable, match=f"^train.py, line 2: .*{message}") as fault:
        marked(f"import os\n{line}\n")
    assert "LEARNING_RATE = 3e-3  # search: log 1e-4 1e-1" in fault.value.next_step


def test_a_name_is_marked_once() -> None:
    """Two constants of one name could not be told apart."""
    with pytest.raises(Unusable, match=r"line 2: X is marked in line 1 already"):
        marked("X = 1  # search: int 1 2\nX = 2  # search: int 1 2\n")


@pytest.mark.parametrize("source", ["x = (", '"""', "if x:\n    a\n  b\n"])
def test_what_is_not_python_is_one_clear_error(source: str) -> None:
    """Tokens can't be cut from it."""
    with pytest.raises(Unusable, match="can't be read as Python"):
        marked(source)


def test_a_hostile_text_costs_little() -> None:
    """Nesting that breaks parsers is no matter for a cutter of tokens."""
    assert marked("(" * 5000 + ")" * 5000 + "\n" + "-" * 20_000 + "1\n").constants == ()


@given(st.floats(-1e9, 1e9), st.booleans(), st.floats(-100, 100), st.floats(0.01, 100))
def test_a_fitted_value_is_in_its_range(
    value: float, integer: bool, low: float, width: float
) -> None:
    """Whatever is asked for, the range holds, and an integer is one."""
    if integer:
        low, width = round(low), max(1, round(width))
    domain = Range(low, low + width, integer=integer, log=False)
    fitted = domain.fit(value)
    assert domain.low <= fitted <= domain.high
    assert isinstance(fitted, int) == integer
