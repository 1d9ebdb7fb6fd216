"""Skeletons of tasks: a folder a kind, copied as it is, to be filled with somebody's data."""

from enum import StrEnum
from importlib import resources
from pathlib import Path

from controller.errors import Unusable
from controller.task import NAME

_SKELETONS = resources.files("controller") / "skeletons"


class SkeletonKind(StrEnum):
    """What is scored; tasks/README.md has a section for each."""

    examples = "examples"
    language = "language"
    stream = "stream"
    construction = "construction"
    choice = "choice"
    speed = "speed"


def write_skeleton(kind: SkeletonKind, name: str) -> Path:
    """Make the folder `name`, in `tasks` if there is such a folder. Raises `Unusable`."""
    folder = Path(name)
    if folder.name == name and Path("tasks").is_dir():
        folder = Path("tasks") / name
    if not NAME.fullmatch(folder.name):
        raise Unusable(
            f"{folder.name!r} is no name for a task.",
            "Use up to 48 letters, digits, dots, dashes and underscores.",
        )
    try:
        folder.mkdir()
        for file in (_SKELETONS / kind).iterdir():
            if file.is_file():  # and no folder of what an interpreter has compiled
                (folder / file.name).write_bytes(file.read_bytes())
    except FileExistsError:
        raise Unusable(f"{folder} is there already.", "Choose another name.") from None
    except OSError as fault:
        raise Unusable(
            f"{folder} can't be written: {fault.strerror}.",
            "Run it where it can be: with Compose tasks/ is read-only inside, so on the host.",
        ) from None
    return folder
