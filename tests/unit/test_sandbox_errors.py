"""The errors that cross the border."""

import re

import msgspec
import pytest

from sandbox import errors
from sandbox.api import Failed, Line
from sandbox.errors import KINDS, Internal, SandboxError, from_kind

CLASSES = {
    cls
    for cls in vars(errors).values()
    if isinstance(cls, type) and issubclass(cls, SandboxError) and cls is not SandboxError
}


def test_the_tree_that_is_drawn_is_the_tree() -> None:
    """The picture at the head of `errors.py` names every class, and no other."""
    drawn = re.findall(r"[├└]── (\w+)  +\S", errors.__doc__ or "")
    assert len(drawn) == len(set(drawn))
    assert set(drawn) == {cls.__name__ for cls in CLASSES}
    assert all(cls.__bases__ == (SandboxError,) for cls in CLASSES)


def test_every_class_is_a_kind() -> None:
    """Each class can cross the socket, under a kind of its own that is its name."""
    assert set(KINDS.values()) == CLASSES
    for kind, cls in KINDS.items():
        assert cls.kind == kind
        assert kind == re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_an_error_comes_back_as_it_went(kind: str) -> None:
    """Through JSON and back, kind, message and next step are the same, and so is the class."""
    fault = KINDS[kind]("What is wrong: „é“.", "What to do.")
    sent = Failed(kind=fault.kind, message=fault.message, next_step=fault.next_step)
    line = msgspec.json.decode(msgspec.json.encode(sent), type=Line)
    assert isinstance(line, Failed)
    back = from_kind(line.kind, line.message, line.next_step)
    assert type(back) is KINDS[kind]
    assert (back.message, back.next_step) == (fault.message, fault.next_step)
    assert str(back) == str(fault) == "What is wrong: „é“. What to do."


def test_a_kind_of_a_newer_sandbox_is_internal() -> None:
    """An old client keeps the message of an error that it does not know."""
    fault = from_kind("too_new", "m", "s")
    assert type(fault) is Internal
    assert (fault.message, fault.next_step) == ("m", "s")
