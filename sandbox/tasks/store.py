"""Prepared tasks: their files and manifests on disk, their data in named volumes.

Data belongs to a `prepare.py` and the scorer image's Dockerfile, if the task has one, for what
`prepare` writes may come out of a package that the image brings. Tasks that differ in prose,
settings or baseline share it, so that their scores stay comparable. The salt that decides the
split never leaves this folder and the prepare container.
"""

import hashlib
import secrets
import shutil
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from sandbox.api import Task, TaskFiles, TaskSettings, task_hash
from sandbox.errors import UnknownTask
from sandbox.files import write_whole
from sandbox.policy import Volumes


class Data(Struct, frozen=True, kw_only=True):
    """What `prepare` wrote: hashes of all files, and a digest that is quick to check."""

    files: list[tuple[str, int, str]]
    """Name, size in bytes, SHA-256."""
    quick: str

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(size for _, size, _ in self.files)

    @property
    def hash(self) -> str:
        """SHA-256 of names, sizes and hashes of all files, by name."""
        return hashlib.sha256(msgspec.json.encode(sorted(self.files))).hexdigest()


class StoredTask(Struct, frozen=True, kw_only=True):
    """A task as it is stored, once its baseline has been scored."""

    task: Task
    data: str
    """Name of its data."""
    files: TaskFiles


def data_name(files: TaskFiles) -> str:
    """Name of the data that a `prepare.py` makes in its image."""
    digest = hashlib.sha256(files.prepare.encode())
    if files.scorer_dockerfile:  # NUL is in no program
        digest.update(b"\0" + files.scorer_dockerfile.encode())
    return digest.hexdigest()[:16]


class TaskStore:
    """Tasks and data below a folder; an entry is there whole, or not at all."""

    def __init__(self, folder: Path, instance: str) -> None:
        self._tasks = folder / "tasks"
        self._data = folder / "data"
        self._instance = instance
        for place in (self._tasks, self._data):
            place.mkdir(parents=True, exist_ok=True, mode=0o700)

    # ---- data ------------------------------------------------------------------------------

    def salt(self, data: str) -> np.ndarray:
        """The secret of this data's split, made at first use; uint32, shape (8,)."""
        file = self._data / f"{data}.salt"
        if not file.exists():
            write_whole(file, secrets.token_bytes(32))
        return np.frombuffer(file.read_bytes(), dtype="<u4")

    def data(self, name: str) -> Data | None:
        """The manifest, once `prepare` has finished."""
        try:
            return msgspec.json.decode((self._data / f"{name}.json").read_bytes(), type=Data)
        except FileNotFoundError:
            return None

    def keep_data(self, name: str, data: Data) -> None:
        """Store the manifest: from now on the data counts as prepared."""
        write_whole(self._data / f"{name}.json", msgspec.json.encode(data))

    def volumes(self, data: str) -> Volumes:
        """Names of the three volumes of this data."""
        stem = f"sealed-{self._instance}-{data}"
        return Volumes(public=f"{stem}-public", sealed=f"{stem}-sealed", task=f"{stem}-task")

    def baseline_volume(self, task: str) -> str:
        """Name of the volume with the baseline's artifact."""
        return f"sealed-{self._instance}-{task[:16]}-baseline"

    # ---- tasks -----------------------------------------------------------------------------

    def keep(self, files: TaskFiles, settings: TaskSettings, data: Data) -> Task:
        """Store a task: from now on trials may name it. Kept again, it is as old as it was."""
        task = Task(
            hash=task_hash(files),
            name=files.name,
            settings=settings,
            prepared_at=datetime.now(UTC).isoformat(timespec="seconds"),
            data_bytes=data.bytes,
            files=len(data.files),
            data=data.hash,
        )
        before = self.find(task.hash)
        if before is not None:
            task = replace(task, prepared_at=before.task.prepared_at)
        stored = StoredTask(task=task, data=data_name(files), files=files)
        write_whole(self._tasks / f"{task.hash}.json", msgspec.json.encode(stored))
        return task

    def find(self, task: str) -> StoredTask | None:
        """A task by its hash."""
        if len(task) != 64 or not set(task) <= set("0123456789abcdef"):
            return None
        try:
            data = (self._tasks / f"{task}.json").read_bytes()
        except FileNotFoundError:
            return None
        return msgspec.json.decode(data, type=StoredTask)

    def get(self, task: str) -> StoredTask:
        """A task by its hash. Raises `UnknownTask`."""
        stored = self.find(task)
        if stored is None:
            raise UnknownTask(
                f"No task {task[:12]} is prepared here.", "Run `sealed task prepare` on its folder."
            )
        return stored

    def all(self) -> list[Task]:
        """Every task, newest first."""
        stored = [
            msgspec.json.decode(path.read_bytes(), type=StoredTask).task
            for path in self._tasks.glob("*.json")
        ]
        return sorted(stored, key=lambda task: task.prepared_at, reverse=True)

    def data_of(self, task: str) -> tuple[str, bool]:
        """The name of a task's data, and whether another task uses it, too."""
        data = self.get(task).data
        others = (self.get(other.hash).data for other in self.all() if other.hash != task)
        return data, data in others

    def forget(self, task: str) -> None:
        """Remove a task; its data is another matter."""
        self.get(task)
        (self._tasks / f"{task}.json").unlink()

    def forget_data(self, name: str) -> None:
        """Remove manifest and salt: the next `prepare` splits anew."""
        (self._data / f"{name}.json").unlink(missing_ok=True)
        (self._data / f"{name}.salt").unlink(missing_ok=True)

    def free_bytes(self) -> int:
        """Free space where the state lies."""
        return shutil.disk_usage(self._tasks).free
