"""The borders that import-linter cannot state: what may be imported, not what may not."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMON = ROOT / "images" / "common"

# What the code of a container may import. torch is in the agent image only, so it is imported by
# name at run time, where it is found.
ALLOWED = {
    "sealed_task": {"numpy", "sealed_task"},
    "sealed_runner": {"numpy", "sealed_task", "sealed_runner"},
}


def imported_packages(source: Path) -> Iterator[str]:
    """The top-level names that a file imports, anywhere in it; relative imports stay inside."""
    for node in ast.walk(ast.parse(source.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            assert node.module
            yield node.module.partition(".")[0]


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_container_code_imports_numpy_and_the_standard_library_alone(package: str) -> None:
    """A role image has nothing else, and a dependency here would be one inside every container."""
    allowed = ALLOWED[package] | sys.stdlib_module_names
    files = sorted((COMMON / package).rglob("*.py"))
    assert files
    strangers = {
        f"{file.relative_to(COMMON)}: {name}"
        for file in files
        for name in imported_packages(file)
        if name not in allowed
    }
    assert not strangers


@pytest.mark.parametrize("package", ["controller", "sandbox"])
def test_no_process_loads_pickles(package: str) -> None:
    """Nothing that agent code made is unpickled: the modules that can do so are not imported."""
    loaders = {"pickle", "marshal", "shelve", "joblib", "dill", "cloudpickle", "torch"}
    files = sorted((ROOT / package).rglob("*.py"))
    found = {str(file) for file in files if loaders & set(imported_packages(file))}
    assert not found


def test_one_numpy_everywhere() -> None:
    """Arrays cross from agent to scorer as raw bytes: both ends have the same numpy."""
    versions = {
        line.split()[0]
        for file in (ROOT / "requirements").glob("*.txt")
        for line in file.read_text().splitlines()
        if line.startswith("numpy==")
    }
    assert len(versions) == 1


@pytest.mark.parametrize(
    "file", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda path: path.stem
)
def test_requirements_are_pinned_by_hash_and_name_no_index(file: Path) -> None:
    """What is installed is what was locked, from whichever mirror it comes."""
    text = file.read_text()
    pins = [line for line in text.splitlines() if line and line[0] not in " #"]
    assert pins
    assert all("==" in line and line.endswith("\\") for line in pins)
    assert "://" not in text
    assert "--index-url" not in text
    assert "--find-links" not in text
