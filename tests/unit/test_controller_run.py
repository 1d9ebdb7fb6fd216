"""Runs on disk: names, locks, and a repository that is made again from the ledger."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from controller.errors import Busy, NotFound, Unusable
from controller.runs import claimed, files_of, find_run, is_driven
from tests.unit.toy import FILES, drive, fake, opened


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs of a test are its own."""
    monkeypatch.setenv("SEALED_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


def refs(repository: Path) -> dict[str, str]:
    """All refs with their commits, read from the files."""
    found = repository / ".git" / "refs"
    return {
        str(file.relative_to(found)): file.read_text().strip()
        for file in sorted(found.rglob("*"))
        if file.is_file()
    }


def test_new_runs_get_the_next_free_number(runs: Path) -> None:
    """A folder that was claimed but never became a run is used again."""
    with claimed("toy", None) as first:
        assert first == runs / "toy-1"
        with claimed("toy", None) as second:
            assert second == runs / "toy-2"
    with opened(fake(), name="toy-1"), claimed("toy", None) as third:
        assert third == runs / "toy-2"


def test_a_run_is_driven_by_one_process() -> None:
    """A second one is told so, and the lock goes with the process that holds it."""
    with opened(fake()) as run:
        assert is_driven(run.folder)
        with pytest.raises(Busy, match="Another process drives the run run"), claimed("toy", "run"):
            pass
    assert not is_driven(run.folder)
    with claimed("toy", "run"):
        pass


def test_a_killed_process_leaves_no_lock(runs: Path) -> None:
    """The kernel takes it back, whatever the process had no time for."""
    script = (
        "from controller.runs import claimed; import os\nwith claimed('toy', 'run'): os._exit(9)"
    )
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", script], cwd=root, check=False).returncode == 9
    with claimed("toy", "run"):
        pass


@pytest.mark.parametrize("name", ["", "12", ".hidden", "-x", "a/b", "../a", "a b", "x" * 65, "ä"])
def test_a_name_that_is_no_folder_name_is_refused(name: str) -> None:
    """No path, no option, no number that could be an experiment's."""
    with pytest.raises(Unusable, match="no name for a run"), claimed("toy", name):
        pass


def test_the_newest_run_is_the_default(runs: Path) -> None:
    """By its creation; a name, or the path of a folder, finds any."""
    with pytest.raises(NotFound, match="No run is in"):
        find_run(None)
    for name in ("b", "a"):
        with opened(fake(), name=name):
            pass
    assert find_run(None).name == "a"
    assert find_run("b") == runs / "b"
    assert find_run(str(runs / "b")) == runs / "b"
    with pytest.raises(NotFound, match="No run is named c") as fault:
        find_run("c")
    assert "b, a" in fault.value.next_step


@pytest.mark.parametrize("lost", ["refs/experiments/1", "refs/heads/main", ""])
def test_a_repository_that_lost_something_is_made_again(runs: Path, lost: str) -> None:
    """The same commits with the same ids: a ref, the head, or all of it."""
    sandbox = fake()
    with opened(sandbox, most_experiments=4) as run:
        drive(run, sandbox)
    repository = runs / "run" / "repository"
    before = refs(repository)
    if lost:
        (repository / ".git" / lost).unlink()
    else:
        shutil.rmtree(repository)
    with opened(sandbox):
        assert refs(repository) == before
    assert set(before) == {"heads/main", *(f"experiments/{number}" for number in range(5))}


def test_the_working_tree_is_the_champion(runs: Path) -> None:
    """A person who opens train.py sees the best one."""
    sandbox = fake()
    with opened(sandbox, most_experiments=4) as run:
        drive(run, sandbox)
        champion = run.ledger.champion()
        assert champion is not None
        assert champion.number == 3
        best = run.ledger.candidate(3)
    assert (runs / "run" / "repository" / "train.py").read_text() == best != FILES.train


def test_a_run_keeps_all_files_of_its_task(runs: Path) -> None:
    """Those of its images too: with others it is another task, and the run does not go on."""
    files = replace(
        FILES, dockerfile="FROM sealed-agent\n", scorer_dockerfile="FROM sealed-scorer\n"
    )
    sandbox = fake()
    with opened(sandbox, files=files, most_experiments=1) as run:
        drive(run, sandbox)
    assert files_of(runs / "run") == files
    tree = runs / "run" / "repository"
    assert (tree / "Dockerfile.scorer").read_text() == "FROM sealed-scorer\n"
