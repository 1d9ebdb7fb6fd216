"""The implementations of `api.Sandbox` that one suite holds to one behaviour; two runtimes."""

import itertools
import os
import threading
from collections.abc import Callable, Iterator

import pytest

from sandbox.api import Sandbox, Task, TrialRequest
from sandbox.client import SandboxClient
from sandbox.fake.sandbox import FakeSandbox
from sandbox.server import Api
from sandbox.service import Service
from tests.conftest import TINY
from tests.support.files import task_files
from tests.support.serving import served

_numbers = itertools.count()


@pytest.fixture(scope="session")
def over_socket(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A client of the real service, through the real server and a real socket."""
    with served(Api(service, None), tmp_path_factory.mktemp("socket") / "s.sock") as path:
        client = SandboxClient(path)
        yield client
        client.close()


SANDBOXES = [
    pytest.param("fake", "", id="fake"),
    pytest.param("service", "", id="service", marks=[pytest.mark.docker, pytest.mark.slow]),
    pytest.param("socket", "", id="socket", marks=pytest.mark.docker),
]
"""What is behind the socket is the service: `make test-all` asks it without a socket, too."""
UNDER_GVISOR = {
    "test_a_scored_trial",
    "test_info_says_what_stands_behind",
}
"""What `make test` runs under gVisor, too; `make test-all` runs all of the suite there."""
TRIED_ELSEWHERE = {"test_the_doctors_findings_are_of_two_classes"}
"""Of a real sandbox in `make test-all` alone: `tests/docker/` has the same without the contract."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test here runs with each of them, and with the service under gVisor."""
    if "sandbox" in metafunc.fixturenames:
        quick = metafunc.function.__name__ in UNDER_GVISOR
        marks = [pytest.mark.docker, *([] if quick else [pytest.mark.slow])]
        gvisor = pytest.param("service", "runsc", id="gvisor", marks=marks)
        sandboxes = [*SANDBOXES, gvisor]
        if metafunc.function.__name__ in TRIED_ELSEWHERE:
            marks = [pytest.mark.docker, pytest.mark.slow]
            sandboxes = [
                SANDBOXES[0],
                *(pytest.param(*s.values, id=s.id, marks=marks) for s in sandboxes[1:]),
            ]
        metafunc.parametrize(("sandbox", "runtime"), sandboxes, indirect=True, scope="session")


@pytest.fixture(scope="session")
def sandbox(request: pytest.FixtureRequest, runtime: str) -> Sandbox:
    """One of them."""
    if request.param == "fake":
        return FakeSandbox()
    name = "service" if request.param == "service" else "over_socket"
    found: Sandbox = request.getfixturevalue(name)
    return found


@pytest.fixture(scope="session")
def task(sandbox: Sandbox) -> Task:
    """The tiny task, prepared."""
    return sandbox.prepare(task_files(TINY))


@pytest.fixture
def order(task: Task) -> Callable[..., TrialRequest]:
    """Makes requests with keys of their own."""

    def make(candidate: str, key: str = "") -> TrialRequest:
        key = key or f"contract-{os.getpid()}-{next(_numbers)}"
        return TrialRequest(key=key, task=task.hash, candidate=candidate)

    return make


TRAIN = (TINY / "train.py").read_text()
BETTER = TRAIN.replace("SCALE = 0.5", "SCALE = 1.0") + "\n# fake: score=0.01 rehearsal=0.01\n"
WORSE = TRAIN + "\n# fake: score=2.5 rehearsal=2.5\n"
CRASHES = (
    TRAIN.replace("    x = np", '    raise ValueError("no such luck")\n    x = np')
    + '\n# fake: outcome=crash reason="ValueError: no such luck" log="ValueError: no such luck"\n'
)
WAITS = (
    TRAIN.replace("    x = np", "    import time; time.sleep(0.9)\n    x = np")
    + "\n# fake: wait=0.9 score=2.5\n"
)


def start(act: Callable[[], object]) -> tuple[threading.Thread, list[BaseException]]:
    """Run something beside the test; what it raises is in the list."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            act()
        except BaseException as fault:
            raised.append(fault)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, raised
