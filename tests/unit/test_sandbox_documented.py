"""Settings and limits are documented where they are defined, and nowhere can one be forgotten."""

import ast
from pathlib import Path

import pytest

SANDBOX = Path(__file__).parents[2] / "sandbox"


def undocumented(body: list[ast.stmt]) -> tuple[list[str], list[str]]:
    """Names that are defined in a body, and those of them without a text right below."""
    names, bare = [], []
    for statement, below in zip(body, [*body[1:], None], strict=True):
        if isinstance(statement, ast.AnnAssign):
            target: ast.expr = statement.target
        elif isinstance(statement, ast.Assign):
            target = statement.targets[0]
        else:
            continue
        assert isinstance(target, ast.Name)
        names.append(target.id)
        documented = (
            isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
            and isinstance(below.value.value, str)
            and len(below.value.value.split()) >= 3
        )
        if not documented:
            bare.append(target.id)
    return names, bare


def class_body(file: str, name: str) -> list[ast.stmt]:
    """The statements of a class."""
    tree = ast.parse((SANDBOX / file).read_text("utf-8"))
    found = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name]
    return found[0].body


@pytest.mark.parametrize(("file", "name"), [("api.py", "TaskSettings"), ("config.py", "Config")])
def test_every_field_says_what_it_is(file: str, name: str) -> None:
    """A field of the settings has a text right below it: that text is its documentation."""
    names, bare = undocumented(class_body(file, name))
    assert len(names) > 5
    assert bare == []


def test_every_limit_says_what_it_bounds() -> None:
    """A constant of `limits.py` has a text right below it: nothing is bounded in silence."""
    names, bare = undocumented(ast.parse((SANDBOX / "limits.py").read_text("utf-8")).body)
    assert len(names) > 20
    assert bare == []


def test_every_variable_of_the_environment_is_documented() -> None:
    """What `from_environment` reads is named in the text of a field of `Config`."""
    tree = ast.parse((SANDBOX / "config.py").read_text("utf-8"))
    read = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.startswith("SEALED_")
        and node.value.replace("_", "").isalpha()
    }
    assert len(read) >= 7
    texts = " ".join(
        node.value.value
        for node in class_body("config.py", "Config")
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
    assert {name for name in read if f"`{name}`" not in texts} == set()
