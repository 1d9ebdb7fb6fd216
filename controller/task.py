"""A task folder on disk, read as text; what it means is the sandbox's to check."""

import re
from pathlib import Path

from controller.errors import NotFound, Unusable
from sandbox.api import TaskFiles

_FILES = ("program.md", "train.py", "prepare.py")
_DOCKERFILE, _SCORER_DOCKERFILE = "Dockerfile", "Dockerfile.scorer"
"""Of the task's own agent image and scorer image; most tasks have none."""
_MOST_BYTES = 1024 * 1024
"""Far above what the sandbox takes; so that a wrong path to a huge file is no surprise."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,47}")


def find_task(name: str) -> Path:
    """The folder `name`, or `tasks/name`. Raises `NotFound`."""
    for folder in (Path(name), Path("tasks") / name):
        if folder.is_dir():
            return folder
    raise NotFound(f"No task folder is at {name}.", "Give the path of one, such as tasks/digits.")


def read_task(folder: Path) -> TaskFiles:
    """The files of a task, byte for byte. Raises `NotFound`, `Unusable`."""
    name = folder.resolve().name
    if not NAME.fullmatch(name):
        raise Unusable(
            f"The task folder is named {name!r}.",
            "Rename it: up to 48 letters, digits, dots, dashes and underscores.",
        )
    if missing := [file for file in _FILES if not (folder / file).exists()]:
        raise Unusable(
            f"The task folder {folder} lacks {' and '.join(missing)}.",
            f"A task has {', '.join(_FILES[:2])} and {_FILES[2]}; see tasks/README.md.",
        )
    program, train, prepare = (read_text(folder / file) for file in _FILES)
    dockerfile, scorer_dockerfile = (
        read_text(folder / file) if (folder / file).exists() else ""
        for file in (_DOCKERFILE, _SCORER_DOCKERFILE)
    )
    return TaskFiles(
        name=name,
        program=program,
        train=train,
        prepare=prepare,
        dockerfile=dockerfile,
        scorer_dockerfile=scorer_dockerfile,
    )


def read_text(path: Path) -> str:
    """A text file with its line ends as they are. Raises `NotFound`, `Unusable`."""
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        raise NotFound(f"No file is at {path}.", "Look at the path.") from None
    except OSError as fault:
        raise Unusable(f"{path} can't be read: {fault.strerror}.", "Give a text file.") from None
    if len(data) > _MOST_BYTES:
        raise Unusable(f"{path} is larger than 1 MiB.", "Give a program, not its data.")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as fault:
        raise Unusable(f"{path} is not UTF-8 (byte {fault.start}).", "Save it as UTF-8.") from None
