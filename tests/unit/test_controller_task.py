"""Reading a task folder."""

from pathlib import Path

import pytest

from controller.errors import ControllerError, NotFound, Unusable
from controller.task import find_task, read_task, read_text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A complete task."""
    task = tmp_path / "tasks" / "toy"
    task.mkdir(parents=True)
    for name in ("program.md", "train.py", "prepare.py"):
        (task / name).write_text(f"{name}\n")
    return task


def test_a_task_is_found_by_path_or_by_its_name_below_tasks(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`toy` and `tasks/toy` are the same task; anything else is not found."""
    monkeypatch.chdir(folder.parents[1])
    assert find_task("toy").resolve() == find_task("tasks/toy").resolve() == folder
    with pytest.raises(NotFound, match="No task folder is at digits"):
        find_task("digits")


def test_files_are_read_byte_for_byte(folder: Path) -> None:
    """Line ends, a byte order mark and a missing last line break stay as they are."""
    data = "\ufeffa = 1\r\nb = 'ä'\rc".encode()
    (folder / "train.py").write_bytes(data)
    assert read_task(folder).train.encode() == data


def test_the_dockerfiles_are_read_where_there_are_any(folder: Path) -> None:
    """Each is of one image; a task without packages of its own has neither."""
    files = read_task(folder)
    assert (files.dockerfile, files.scorer_dockerfile) == ("", "")
    (folder / "Dockerfile.scorer").write_text("FROM sealed-scorer\n")
    assert read_task(folder).dockerfile == ""
    (folder / "Dockerfile").write_text("FROM sealed-agent\n")
    files = read_task(folder)
    assert files.dockerfile == "FROM sealed-agent\n"
    assert files.scorer_dockerfile == "FROM sealed-scorer\n"


@pytest.mark.parametrize("name", ["program.md", "train.py", "prepare.py"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    """The error says which file a task lacks, and what a task has."""
    (folder / name).unlink()
    with pytest.raises(Unusable, match=f"lacks {name}") as fault:
        read_task(folder)
    assert "tasks/README.md" in fault.value.next_step


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"\xff\xfe", "not UTF-8"), (b"x" * (2**20 + 1), "larger than 1 MiB")],
)
def test_a_file_that_is_no_text_is_refused(folder: Path, data: bytes, message: str) -> None:
    """Encoding and size are looked at before anything else is done with a file."""
    (folder / "train.py").write_bytes(data)
    with pytest.raises(Unusable, match=message) as fault:
        read_task(folder)
    assert fault.value.next_step


def test_a_folder_in_the_place_of_a_file_is_one_clear_error(folder: Path) -> None:
    """What can't be read is a `ControllerError`, not an `OSError`."""
    with pytest.raises(ControllerError, match="can't be read"):
        read_text(folder)
    with pytest.raises(NotFound):
        read_text(folder / "absent.py")


def test_a_folder_whose_name_is_unfit_for_a_run_is_refused(folder: Path) -> None:
    """The name becomes part of run names and paths."""
    odd = folder.rename(folder.parent / "-x y")
    with pytest.raises(Unusable, match="is named"):
        read_task(odd)
