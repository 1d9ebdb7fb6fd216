"""What a person sees of bad input: the command, one clear error, the next step, an exit code."""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox.containers.host import Host
from sandbox.engine import Engine
from tests.conftest import TINY

pytestmark = pytest.mark.docker

SEALED = str(Path(sys.executable).with_name("sealed"))
PROGRAM = (TINY / "program.md").read_text()
TRAIN = (TINY / "train.py").read_text()
PREPARE = (TINY / "prepare.py").read_text()


class Person:
    """Types `sealed …` in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.task = folder / "mine"
        shutil.copytree(TINY, self.task)

    def types(self, *words: str, **environment: str) -> tuple[int, str, str]:
        """Exit code, stdout, stderr."""
        done = subprocess.run(
            [SEALED, *words],
            cwd=self.folder,
            env=os.environ | {"SEALED_HOME": str(self.folder / "home")} | environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def gone(self) -> None:
        """Wait until the sandbox that the last command started has left."""
        with (self.folder / "home" / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)


@pytest.fixture(scope="module")
def person(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    """One person for the module; nothing of theirs stays on the engine."""
    with _present(Person(tmp_path_factory.mktemp("person")), engine) as person:
        yield person


@contextlib.contextmanager
def _present(person: Person, engine: Engine) -> Iterator[Person]:
    yield person
    person.gone()
    instance = (person.folder / "home" / "instance").read_text().strip()
    for volume in engine.volumes({"sealed.instance": instance}):
        engine.remove_volume(volume["Name"])


@pytest.fixture
def task(person: Person) -> Iterator[Path]:
    """Their task folder, mended again after each test."""
    yield person.task
    shutil.rmtree(person.task)
    shutil.copytree(TINY, person.task)


def _setting(line: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        name = line.split(":", maxsplit=1)[0]
        rows = [row for row in PROGRAM.splitlines() if not row.startswith(f"{name}:")]
        rows.insert(1, line)
        (folder / "program.md").write_text("\n".join(rows) + "\n")

    return change


def _file(name: str, content: str | bytes) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        data = content.encode() if isinstance(content, str) else content
        (folder / name).write_bytes(data)

    return change


BAD_TASKS: dict[str, tuple[Callable[[Path], None], int, str, str]] = {
    "unknown setting": (_setting("colour: red"), 2, "colour", "tasks/README.md"),
    "impossible setting": (_setting("budget_seconds: 0"), 2, "budget_seconds", "program.md"),
    "cpus beyond the machine's": (_setting("cpus: 999"), 3, "999 CPUs", "Lower `cpus`"),
    "memory beyond the machine's": (_setting("memory_mib: 4000000"), 3, "MiB", "Lower"),
    "missing image": (_setting("image: no-such-image"), 3, "no-such-image", "make images"),
    "gpu where none is": (_setting("gpus: 1"), 3, "GPU", "gpus: 0"),
    "no train": (_file("train.py", "def load(artifact): ..."), 2, "`train`", "Mend the task"),
    "no load": (_file("train.py", "def train(*_): ..."), 2, "`load`", "Mend the task"),
    "prepare writes nothing": (
        _file("prepare.py", "def prepare(to, rng): ...\ndef score(data, predictors): ...\n"),
        2,
        "wrote nothing",
        "Mend prepare.py",
    ),
    "prepare raises": (
        _file("prepare.py", "def prepare(to, rng): 1 / 0\ndef score(data, predictors): ...\n"),
        2,
        "ZeroDivisionError",
        "Mend prepare.py",
    ),
    "not UTF-8": (_file("train.py", b"x = '\xff\xfe'"), 2, "UTF-8", "UTF-8"),
    "too large": (_file("train.py", TRAIN + "# more\n" * 20_000), 2, "bytes", "take"),
}
ALIKE = {"impossible setting", "memory beyond the machine's", "no load", "prepare raises"}
"""Refused as one before it is; `make test-all` has them."""


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow) if name in ALIKE else name for name in BAD_TASKS],
)
def test_a_bad_task_is_one_clear_error(person: Person, task: Path, host: Host, name: str) -> None:
    """A task that can't work ends the command with what is wrong and the next step.

    The code is 2 where the task's files are at fault, 3 where this machine can't do it.
    """
    if name == "gpu where none is" and "nvidia" in host.runtimes:
        pytest.skip("this engine has GPUs")
    change, code, says, step = BAD_TASKS[name]
    change(task)
    status, _, errors = person.types("task", "prepare", "mine")
    assert (status, "Traceback (most recent call last)" in errors.split("\n")[0]) == (code, False)
    assert says in errors
    assert step.lower() in errors.lower()


def test_a_missing_file_is_named(person: Person, task: Path) -> None:
    """A folder that is no task says which file it lacks."""
    (task / "prepare.py").unlink()
    status, _, errors = person.types("run", "mine")
    assert status == 2
    assert "prepare.py" in errors


def test_a_missing_folder_is_named(person: Person) -> None:
    """A task that is not there is 'not found'."""
    status, _, errors = person.types("run", "nowhere")
    assert status == 4
    assert "nowhere" in errors


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"x = '\xff'", "UTF-8"), (b"#" * 70_000, "bytes"), (b"", "empty")],
    ids=["not-utf-8", "too-large", "empty"],
)
def test_a_file_that_is_no_candidate(person: Person, content: bytes, says: str) -> None:
    """`try` refuses what can't be a candidate before anything runs."""
    (person.folder / "idea.py").write_bytes(content)
    status, _, errors = person.types("try", "mine", "idea.py")
    assert status == 2
    assert says in errors


def test_no_engine(person: Person) -> None:
    """Without an engine, the command says how to get one."""
    home = str(person.folder / "other")
    status, _, errors = person.types(
        "doctor", DOCKER_HOST="unix:///nowhere/docker.sock", SEALED_HOME=home
    )
    assert status == 3
    assert "No container engine answers" in errors
    assert "scripts/engine.sh" in errors


def test_a_missing_runtime(person: Person) -> None:
    """A runtime that the engine does not have is refused, and never replaced."""
    home = str(person.folder / "other")
    status, _, errors = person.types("doctor", SEALED_RUNTIME="kata", SEALED_HOME=home)
    assert status == 3
    assert "kata" in errors
    assert "SEALED_RUNTIME" in errors


def test_no_space(person: Person, engine: Engine) -> None:
    """Where the sandbox's disk is nearly full, nothing begins that could not be stored."""
    small = person.folder / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(small)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        status, _, errors = person.types("task", "prepare", "mine", SEALED_HOME=str(small))
    finally:
        subprocess.run(["umount", "--lazy", str(small)], check=True)
    assert status == 3
    assert "free" in errors.lower()


@pytest.fixture
def other(engine: Engine, tmp_path: Path) -> Iterator[Person]:
    """A person with one task alone."""
    with _present(Person(tmp_path), engine) as person:
        yield person


@pytest.mark.slow
def test_held_out_data_altered_or_missing(other: Person, engine: Engine, host: Host) -> None:
    """Data that is not what `prepare` wrote stops a run, with the way back; nothing is scored."""
    person = other
    status, _, errors = person.types("task", "prepare", "mine")
    assert status == 0, errors
    instance = (person.folder / "home" / "instance").read_text().strip()
    labels = {"sealed.instance": instance, "sealed.role": "data"}
    sealed = next(v["Name"] for v in engine.volumes(labels) if v["Name"].endswith("-sealed"))
    subprocess.run(
        ["docker", "run", "--rm", "--network", "none", "-v", f"{sealed}:/v",
         host.config.scorer_image, "/bin/sh", "-c", "printf x >> /v/held_out/y.npy"],
        check=True,
    )  # fmt: skip
    for verb in (("run", "mine", "--experiments", "1"), ("try", "mine", "mine/train.py")):
        status, _, errors = person.types(*verb)
        assert status == 3
        assert "not what `prepare` wrote" in errors
        assert "sealed task forget" in errors
    person.gone()
    engine.remove_volume(sealed)
    status, output, errors = person.types("try", "mine", "mine/train.py")
    assert status == 0, "the same secret makes the same data again"
    assert "preparing" in output + errors
