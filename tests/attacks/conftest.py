"""Fixtures of the attacks: the task `rooms`, the naive loop, and the trainer's deadline."""

import pytest

from sandbox.api import Task
from sandbox.service import Service
from tests.support.attacks import ROOMS, Deadline
from tests.support.candidates import Bench
from tests.support.files import task_files
from tests.support.naive_loop import NaiveLoop


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
