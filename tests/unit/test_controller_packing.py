"""What is packed of a run's repository, and what a kill or a power cut leaves of that."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from controller.repository import Repository
from tests.unit.repository_room import WHEN, git, message, root
from tests.unit.toy import FILES


def experiments(repository: Repository, first: int, last: int, parent: str) -> dict[int, str]:
    """Losers with these numbers, and the tidying that follows each."""
    made = {}
    for number in range(first, last + 1):
        files = replace(FILES, train=f"n = {number}\n")
        made[number] = repository.commit(files, message("try"), parent=parent, when=WHEN)
        repository.set_experiment(number, made[number])
        repository.tidy()
    return made


def refs(folder: Path) -> dict[int, str]:
    """Experiments as git lists them."""
    listed = git(folder, "for-each-ref", "--format=%(refname) %(objectname)", "refs/experiments")
    pairs = [line.split() for line in listed.splitlines()]
    return {int(name.rpartition("/")[2]): commit for name, commit in pairs}


def test_hundreds_of_experiments_are_few_files(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Packed, git finds all of them whole, `main` where it was, and so does who opens it again."""
    monkeypatch.setattr("controller.repository.LOOSE_EXPERIMENTS", 15)
    champion = root(repository)
    made = {0: champion} | experiments(repository, 1, 100, champion)
    folder = tmp_path / "repository"
    assert refs(folder) == made
    git(folder, "fsck", "--full", "--strict")
    assert git(folder, "rev-parse", "main").strip() == champion
    assert git(folder, "show", f"{made[7]}:train.py") == "n = 7\n"
    assert git(folder, "status", "--porcelain") == ""
    loose = [path for path in (folder / ".git").rglob("*") if path.is_file()]
    assert len(loose) < 4 * 2 * 15 + 2 * 7 + 10, "of two times, packs, and what there always is"
    again = Repository(folder)
    assert {number: again.experiment(number) for number in made} == made
    assert again.main() == champion
    assert again.experiment(101) is None
    again.close()


class Killed(BaseException):
    """Nothing in the controller catches it, as nothing catches a SIGKILL."""


def die_at(patch: pytest.MonkeyPatch, step: int) -> None:
    """Before the n-th file that is renamed or removed."""
    left = itertools.count(step, -1)

    def dying(method: Callable[..., object]) -> Callable[..., object]:
        def die_or(*arguments: object, **named: object) -> object:
            if next(left) == 0:
                raise Killed
            return method(*arguments, **named)

        return die_or

    for name in ("replace", "unlink"):
        patch.setattr(Path, name, dying(getattr(Path, name)))


def test_packing_may_be_killed_anywhere(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before each file that is renamed or removed: no commit is missing, and no draft stays."""
    champion, folder = root(repository), tmp_path / "repository"
    made, whole = {0: champion}, False
    for step in itertools.count():
        opened = Repository(folder)
        made |= experiments(opened, len(made), len(made) + 1, champion)
        with monkeypatch.context() as patch:
            patch.setattr("controller.repository.LOOSE_EXPERIMENTS", 1)
            die_at(patch, step)
            try:
                opened.tidy()
                whole = True
            except Killed:
                assert step < 100
        opened.close()
        assert refs(folder) == made
        git(folder, "fsck", "--full", "--strict")
        if whole:
            break
    assert step > 5
    Repository(folder).close()
    assert not [*(folder / ".git").rglob("*.draft"), *(folder / ".git").rglob("*.lock")]


@pytest.mark.parametrize("left", [b"", b"x", b"half"])
def test_a_broken_object_stops_no_packing(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: bytes
) -> None:
    """A power cut left half of one: it is no part of a pack, and all others are."""
    monkeypatch.setattr("controller.repository.LOOSE_EXPERIMENTS", 4)
    champion, folder = root(repository), tmp_path / "repository"
    made = experiments(repository, 1, 2, champion)
    broken = folder / ".git" / "objects" / made[1][:2] / made[1][2:]
    data = broken.read_bytes()
    broken.chmod(0o644)
    broken.write_bytes(data[: len(data) // 2] if left == b"half" else left)
    experiments(repository, 3, 3, champion)
    (pack,) = (folder / ".git" / "objects" / "pack").glob("*.idx")
    git(folder, "verify-pack", str(pack))
    assert made[2] in git(folder, "verify-pack", "--verbose", str(pack))
    assert made[1] not in git(folder, "verify-pack", "--verbose", str(pack))


def test_refs_that_somebody_packs_are_packed_the_next_time(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A git program of the user holds the lock: nothing waits for it, and nothing is lost."""
    monkeypatch.setattr("controller.repository.LOOSE_EXPERIMENTS", 2)
    champion, folder = root(repository), tmp_path / "repository"
    lock = folder / ".git" / "packed-refs.lock"
    lock.touch()
    made = {0: champion} | experiments(repository, 1, 2, champion)
    assert not (folder / ".git" / "packed-refs").exists()
    lock.unlink()
    made |= experiments(repository, 3, 4, champion)
    assert (folder / ".git" / "packed-refs").read_text().count("refs/experiments/") == 4
    assert refs(folder) == made
