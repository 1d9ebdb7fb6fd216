"""Fixtures that need an engine. Without one, their tests are skipped, or, in CI, fail."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import hypothesis
import pytest
from msgspec.structs import replace

from sandbox.api import Task, TaskFiles
from sandbox.config import Config, from_environment
from sandbox.containers.host import Host
from sandbox.engine import Engine
from sandbox.errors import EngineUnavailable
from sandbox.service import Service
from tests.support.candidates import Bench
from tests.support.files import task_files

TINY = Path(__file__).parent / "tasks" / "tiny"
_SHARED_MEMORY = Path("/dev/shm")
_ROOM_BYTES = 4 << 30


def pytest_configure() -> None:
    """Temporary folders are in memory where there is room: ledgers wait for each `fsync`.

    No example of Hypothesis has a deadline: how busy a machine is makes nothing wrong.
    """
    hypothesis.settings.register_profile("sealed", deadline=None)
    hypothesis.settings.load_profile("sealed")
    with suppress(OSError):
        found = os.statvfs(_SHARED_MEMORY)
        runs_programs = not found.f_flag & os.ST_NOEXEC
        if runs_programs and found.f_bavail * found.f_frsize > _ROOM_BYTES:
            os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_SHARED_MEMORY))


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The engine; no test stops it."""
    try:
        return Engine()
    except EngineUnavailable as fault:
        if os.environ.get("REQUIRE_DOCKER"):
            pytest.fail(f"REQUIRE_DOCKER is set: {fault}", pytrace=False)
        pytest.skip(f"no engine: {fault}")


@pytest.fixture(scope="session")
def runtime(request: pytest.FixtureRequest) -> str:
    """The runtime of role containers: the engine's own, or what a folder's conftest asks for."""
    name: str = getattr(request, "param", "")
    if name and name not in request.getfixturevalue("engine").info()["Runtimes"]:
        told = f"the engine has no runtime {name}: scripts/engine.sh {name}"
        if os.environ.get("REQUIRE_DOCKER"):
            pytest.fail(f"REQUIRE_DOCKER is set: {told}", pytrace=False)
        pytest.skip(told)
    return name


@pytest.fixture(scope="session")
def host(engine: Engine, runtime: str, tmp_path_factory: pytest.TempPathFactory) -> Host:
    """An instance of its own, with its state in a temporary folder.

    Of the environment it takes the way to packages alone: some tasks bring some.
    """
    home, here = tmp_path_factory.mktemp("home"), from_environment()
    config = Config(
        home=home,
        socket=home / "sandbox.sock",
        runtime=runtime,
        ca_bundle=here.ca_bundle,
        package_index=here.package_index,
        proxies=here.proxies,
    )
    return Host.of(config, engine)


@pytest.fixture(scope="session")
def service(host: Host) -> Iterator[Service]:
    """A real sandbox in this process; it leaves no container and no volume behind."""
    service = Service(host, keep_warm=False)
    yield service
    for task in service.tasks():
        service.forget(task.hash)
    service.close()
    # Data whose baseline failed belongs to no task.
    for volume in host.engine.volumes({"sealed.instance": host.instance}):
        host.engine.remove_volume(volume["Name"])


@pytest.fixture(scope="session")
def tiny(service: Service, runtime: str) -> Task:
    """The task `tests/tasks/tiny`, prepared; another kernel takes memory, and starts slowly."""
    return service.prepare(roomy(2, 256) if runtime else task_files(TINY))


def roomy(seconds: int, memory_mib: int) -> TaskFiles:
    """The tiny task with more time and memory."""
    files = task_files(TINY)
    program = files.program.replace("budget_seconds: 1", f"budget_seconds: {seconds}")
    program = program.replace("memory_mib: 128", f"memory_mib: {memory_mib}")
    return replace(files, program=program)


@pytest.fixture
def bench(service: Service, tiny: Task, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Runs candidates on the tiny task, with the policy as it is or with a setting taken out."""
    return Bench(service, tiny, monkeypatch)
