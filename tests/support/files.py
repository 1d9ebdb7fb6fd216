"""Task folders as the sandbox takes them."""

from pathlib import Path

from sandbox.api import TaskFiles


def task_files(folder: Path, **changes: str) -> TaskFiles:
    """The three files of a folder, some of them replaced."""
    texts = {
        "program": (folder / "program.md").read_text(),
        "train": (folder / "train.py").read_text(),
        "prepare": (folder / "prepare.py").read_text(),
    }
    return TaskFiles(name=folder.name, **(texts | changes))
