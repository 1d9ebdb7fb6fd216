"""SECURITY.md and the tests that hold it, to each other."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| `([a-z0-9-]+)` \| (.+) \| (any|Compose) \|$", re.MULTILINE)


def promised() -> list[str]:
    """Ids of the table of claims."""
    text = (ROOT / "SECURITY.md").read_text()
    return [match[1] for match in ROW.finditer(text.split("## Claims")[1].split("\n## ")[0])]


def held() -> dict[str, list[str]]:
    """Ids that tests carry, with the tests."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                for mark in node.decorator_list:
                    if ast.unparse(mark).startswith("pytest.mark.claim("):
                        assert isinstance(mark, ast.Call)
                        identity = ast.literal_eval(mark.args[0])
                        found.setdefault(identity, []).append(f"{path.name}::{node.name}")
    return found


def test_every_claim_has_a_test() -> None:
    """Nothing is promised that no test holds."""
    assert set(promised()) - set(held()) == set()
    assert len(promised()) == len(set(promised()))


def test_every_test_of_a_claim_has_its_claim() -> None:
    """No test holds a claim that SECURITY.md does not make."""
    assert set(held()) - set(promised()) == set()


def test_every_attack_of_a_claim_has_a_control_arm() -> None:
    """A module of attacks has control arms beside its attacks."""
    attacks = [
        *(ROOT / "tests").glob("attacks/test_*.py"),
        *(ROOT / "tests").glob("injection/test_*.py"),
    ]
    for path in attacks:
        assert "def test_control_" in path.read_text(), path.name
