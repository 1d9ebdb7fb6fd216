"""Fixtures of the attacks: the task `rooms`, the naive loop, and the trainer's deadline."""

import pytest

from sandbox.api import Task
from sandbox.service import Service
from tests.support.attacks import ROOMS, Deadline
from tests.support.candidates import Bench
from tests.support.files import task_files
from tests.support.naive_loop import NaiveLoop

QUICK: set[str] = set()
"""Attacks that `make test` runs under gVisor, too: of each group those that are quick to tell."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every attack runs under the engine's own runtime and under gVisor."""
    if "runtime" in metafunc.fixturenames:
        marks = [] if metafunc.function.__name__ in QUICK else [pytest.mark.slow]
        runtimes = ["", pytest.param("runsc", marks=marks)]
        metafunc.parametrize(
            "runtime", runtimes, ids=["default", "runsc"], indirect=True, scope="session"
        )


@pytest.fixture(scope="session")
def rooms(service: Service) -> Task:
    """The task `tests/tasks/rooms`, prepared."""
    return service.prepare(task_files(ROOMS))


@pytest.fixture(scope="session")
def naive(service: Service) -> NaiveLoop:
    """The loop as it is commonly built."""
    return NaiveLoop(service)


@pytest.fixture
def deadline(bench: Bench) -> Deadline:
    """Notes when trainers of the tiny task had to be dead."""
    return Deadline(bench.patch, bench.task.settings.budget_seconds)
