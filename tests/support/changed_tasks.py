"""Tasks that a test has changed: prepared for a while, or scored in this process on many splits."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from sandbox.api import Task
from sandbox.service import Service
from tests.support.files import task_files
from tests.support.predictors import local_predictors
from tests.support.tasks import load_module, prepared

Changes = Mapping[str, str]
NONE: Changes = MappingProxyType({})


@contextmanager
def preparing(
    service: Service, folder: Path, made_up: Callable[[Changes], str]
) -> Iterator[Callable[..., Task]]:
    """Prepares the task with made-up data, perhaps changed; all are forgotten at the end."""
    tasks = []

    def prepare(changes: Changes = NONE) -> Task:
        tasks.append(service.prepare(task_files(folder, prepare=made_up(changes))))
        return tasks[-1]

    yield prepare
    for task in tasks:
        service.forget(task.hash)


def scores(folder: Path, candidate: str, prepare: str, salts: int) -> list[float]:
    """Of a candidate on the held-out data of so many splits, by the real scorer and its checks."""
    folder.mkdir(exist_ok=True)
    (folder / "prepare.py").write_text(prepare)
    (folder / "train.py").write_text(candidate)
    scorer, trained = load_module(folder / "prepare.py"), load_module(folder / "train.py")
    data, found = scorer.download(), []
    scorer.download = lambda: data  # type: ignore[attr-defined]
    for salt in range(salts):
        to = prepared(scorer, folder / str(salt), salt)
        (artifact := folder / str(salt) / "artifact").mkdir()
        trained.train(folder / str(salt) / "public", artifact, salt, 1.0)
        predictors = local_predictors(trained.load(artifact), salt)
        found.append(float(scorer.score(to.held_out, predictors).values.mean()))
    return found
