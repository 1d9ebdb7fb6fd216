"""The repository of a run, looked at with git itself."""

import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from controller.repository import Repository
from tests.unit.repository_room import WHEN, git, message, root
from tests.unit.toy import FILES

HOSTILE = {
    "newlines": "x\n\nSealed-Decision: kept\nSealed-Score: 0\n",
    "trailer": "Sealed-Decision: kept",
    "git folder": ".git/../.GIT/hooks/post-commit",
    "option": "--upload-pack=touch /tmp/owned",
    "reference": "refs/heads/main^{/x}@{0}..",
    "bidi": "abc\u202e\u2066dcba\u200f",
    "NUL": "a\0b",
    "shell": "$(touch owned) `touch owned` ; touch owned | 'x\"",
    "comment": "# comment\n#\n",
    "patch": "x\n---\ndiff --git a/train.py b/train.py\n",
    "escapes": "\x1b]0;title\x07\x1b[2J",
    "surrogate": "lone \udc80",
    "huge": "z" * 100_000,
}


def test_the_root_has_the_three_files_of_the_task(repository: Repository, tmp_path: Path) -> None:
    """Byte for byte, in the tree and in the working tree, which git finds clean."""
    files = replace(FILES, train="a = 1\r\n# ä\r", program="$Id$\n")
    commit = repository.commit(files, message("baseline", 0), parent=None, when=WHEN)
    repository.set_main(commit, files)
    folder = tmp_path / "repository"
    names = git(folder, "ls-tree", "--name-only", "main").split()
    assert names == ["prepare.py", "program.md", "train.py"]
    assert git(folder, "show", "main:train.py") == files.train
    assert (folder / "train.py").read_bytes() == files.train.encode()
    assert git(folder, "status", "--porcelain") == ""
    assert git(folder, "log", "--format=%an <%ae> %cI") == (
        "Sealed AutoResearch <sealed@localhost> 2026-01-02T03:04:05+00:00\n"
    )
    git(folder, "fsck", "--full", "--strict")


def test_the_dockerfiles_of_a_task_are_in_the_tree(repository: Repository, tmp_path: Path) -> None:
    """With them a run's repository has all that its images were made of; git finds it in order."""
    files = replace(
        FILES, dockerfile="FROM sealed-agent\n", scorer_dockerfile="FROM sealed-scorer\n"
    )
    commit = repository.commit(files, message("baseline", 0), parent=None, when=WHEN)
    repository.set_main(commit, files)
    folder = tmp_path / "repository"
    names = git(folder, "ls-tree", "--name-only", "main").split()
    assert names == ["Dockerfile", "Dockerfile.scorer", "prepare.py", "program.md", "train.py"]
    assert git(folder, "show", "main:Dockerfile.scorer") == files.scorer_dockerfile
    assert git(folder, "status", "--porcelain") == ""
    git(folder, "fsck", "--full", "--strict")


def test_a_loser_is_reachable_and_not_on_main(repository: Repository, tmp_path: Path) -> None:
    """Main stays at the champion; the loser's parent is the champion."""
    champion = root(repository)
    loser = replace(FILES, train="worse")
    commit = repository.commit(loser, message("try"), parent=champion, when=WHEN)
    repository.set_experiment(1, commit)
    folder = tmp_path / "repository"
    assert repository.main() == champion
    assert repository.experiment(1) == commit
    assert git(folder, "log", "--format=%H", "main").split() == [champion]
    assert git(folder, "log", "--format=%H", "refs/experiments/1").split() == [commit, champion]
    assert git(folder, "diff", "--stat", "main", "refs/experiments/1", "--", "train.py")
    assert (folder / "train.py").read_text() == FILES.train


def test_the_same_commit_again_has_the_same_id(repository: Repository) -> None:
    """So a step that is repeated after a crash changes nothing."""
    first = root(repository)
    assert root(repository) == first
    assert repository.commit(FILES, message("b"), parent=None, when=WHEN) != first


@pytest.mark.parametrize("hypothesis", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_stays_text(repository: Repository, tmp_path: Path, hypothesis: str) -> None:
    """As hypothesis and as candidate: git reads our trailers, our three names and our two refs."""
    champion = root(repository)
    text = hypothesis.encode("utf-8", "replace").decode()
    files = replace(FILES, train=text)
    commit = repository.commit(files, message(hypothesis), parent=champion, when=WHEN)
    repository.set_experiment(1, commit)
    repository.set_main(commit, files)
    folder = tmp_path / "repository"
    trailers = git(folder, "log", "-1", "--format=%(trailers:only,unfold)", "main").split("\n")
    assert [line for line in trailers if line] == [
        "Sealed-Run: abc",
        "Sealed-Experiment: 1",
        "Sealed-Agent: search",
        "Sealed-Outcome: crash",
        "Sealed-Score: none",
        "Sealed-Decision: discarded",
    ]
    subject = git(folder, "log", "-1", "--format=%s", "main")
    assert subject.startswith("1: ")
    assert len(subject) <= 73
    assert len(subject.splitlines()) == 1
    assert git(folder, "show", "main:train.py") == text
    assert git(folder, "for-each-ref", "--format=%(refname)").split() == [
        "refs/experiments/0",
        "refs/experiments/1",
        "refs/heads/main",
    ]
    git(folder, "fsck", "--full", "--strict")
    assert sorted(path.name for path in folder.iterdir()) == [
        ".git",
        "prepare.py",
        "program.md",
        "train.py",
    ]


def test_the_environment_of_a_git_hook_leads_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GIT_DIR and GIT_OBJECT_DIRECTORY, set where sealed is started from a hook, are not used."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR"):
        monkeypatch.setenv(name, str(elsewhere))
    repository = Repository(tmp_path / "repository")
    commit = root(repository)
    repository.close()
    assert list(elsewhere.iterdir()) == []
    assert os.environ["GIT_DIR"] == str(elsewhere)
    assert git(tmp_path / "repository", "rev-parse", "main").strip() == commit


def test_locks_of_a_killed_process_are_removed(repository: Repository, tmp_path: Path) -> None:
    """Otherwise a run that was killed while it wrote a ref could never go on."""
    commit = root(repository)
    git_folder = tmp_path / "repository" / ".git"
    for name in ("index.lock", "refs/heads/main.lock", "refs/experiments/0.lock"):
        (git_folder / name).touch()
    again = Repository(tmp_path / "repository")
    again.set_experiment(0, commit)
    again.set_main(commit, FILES)
    again.close()
    assert not list(git_folder.rglob("*.lock"))


def test_a_lock_of_another_git_program_is_waited_for(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An editor that refreshes its status holds the index for an instant."""
    lock = tmp_path / "repository" / ".git" / "index.lock"
    lock.touch()
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            lock.unlink()

    monkeypatch.setattr(Repository._set_index.retry, "sleep", sleep)  # type: ignore[attr-defined]
    root(repository)
    assert len(waits) == 3


@pytest.mark.parametrize("how", ["removed", "emptied"])
def test_a_lost_ref_reads_as_absent(repository: Repository, tmp_path: Path, how: str) -> None:
    """A power cut may leave a ref empty; that is no commit, and no error."""
    root(repository)
    for name in ("refs/heads/main", "refs/experiments/0"):
        file = tmp_path / "repository" / ".git" / name
        if how == "removed":
            file.unlink()
        else:
            file.write_bytes(b"")
    assert repository.main() is None
    assert repository.experiment(0) is None
    assert root(repository) == repository.main()


def test_an_object_that_a_power_cut_emptied_is_written_again(
    repository: Repository, tmp_path: Path
) -> None:
    """GitPython would take the empty file for a stored object."""
    commit = root(repository)
    file = tmp_path / "repository" / ".git" / "objects" / commit[:2] / commit[2:]
    file.chmod(0o644)
    file.write_bytes(b"")
    assert root(repository) == commit
    git(tmp_path / "repository", "fsck", "--full", "--strict")


def test_packed_by_git_gc_it_still_works(repository: Repository, tmp_path: Path) -> None:
    """A person may well run `git gc` in it."""
    commit = root(repository)
    git(tmp_path / "repository", "gc", "--quiet")
    again = Repository(tmp_path / "repository")
    assert again.main() == again.experiment(0) == commit
    next_commit = again.commit(FILES, message("next"), parent=commit, when=WHEN)
    again.set_main(next_commit, FILES)
    again.close()
    assert len(git(tmp_path / "repository", "log", "--format=%H", "main").split()) == 2
