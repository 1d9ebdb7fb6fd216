"""The sandbox as a process: started on demand, shared, gone without a trace however it ends."""

import os
import signal
import socket
import stat
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox import server
from sandbox.api import Outcome, Stage, Task, TrialRequest
from sandbox.client import SandboxClient, connect
from sandbox.config import Config, instance_of
from sandbox.containers.container import RoleContainer
from sandbox.containers.host import Host
from sandbox.containers.probe import probe_order
from sandbox.engine import Engine
from sandbox.errors import EngineUnavailable, RuntimeMissing, SandboxError, UnknownTrial
from sandbox.fake.sandbox import FakeSandbox
from sandbox.policy import LABEL
from sandbox.server import Api
from tests.conftest import TINY
from tests.support.files import task_files
from tests.support.serving import served

pytestmark = [
    pytest.mark.docker,
    # The client leaves the sandbox that it started to end by itself.
    pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"),
    # httpcore forgets a socket whose connect was refused; its last reference closes it at once.
    pytest.mark.filterwarnings("ignore:unclosed <socket.* family=1,:ResourceWarning"),
]

PROGRAM = (TINY / "program.md").read_text().replace("budget_seconds: 1", "budget_seconds: 60")
QUICK = (TINY / "train.py").read_text()
LONG = QUICK.replace("    x = np", "    import time; time.sleep(60)\n    x = np")

CLIENT = """
import sys
from sandbox.api import TrialRequest
from sandbox.client import connect
key, task, file = sys.argv[1:]
with connect() as client:
    request = TrialRequest(key=key, task=task, candidate=open(file).read())
    client.run(request, lambda progress: print(progress.stage, flush=True))
"""


class Home:
    """The state of one sandbox, and what of it can be seen from outside."""

    def __init__(self, path: Path, engine: Engine) -> None:
        self.path = path
        self.engine = engine
        self.instance = instance_of(path)

    def pid(self) -> int:
        """Of the process that listens on the socket."""
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(self.path / "sandbox.sock"))
            told = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        return int(struct.unpack("3i", told)[0])

    def containers(self) -> int:
        """How many containers of this instance the engine has."""
        return len(self.engine.containers({LABEL + "instance": self.instance}))

    def artifacts(self) -> int:
        """How many artifacts of trials it has."""
        labels = {LABEL + "instance": self.instance, LABEL + "role": "artifact"}
        return len(self.engine.volumes(labels))

    def left(self) -> tuple[int, int]:
        """Both."""
        return self.containers(), self.artifacts()


@pytest.fixture(scope="module")
def home(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home of its own; `connect` finds it, and nothing of it stays on the engine."""
    path = tmp_path_factory.mktemp("p")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEALED_HOME", str(path))
        patch.delenv("SEALED_SOCKET", raising=False)
        home = Home(path, engine)
        yield home
        labels = {LABEL + "instance": home.instance}
        for container in engine.containers(labels):
            engine.remove(container["Id"])
        for volume in engine.volumes(labels):
            engine.remove_volume(volume["Name"])


@pytest.fixture(scope="module")
def task(home: Home) -> Task:
    """The tiny task with a budget that no test waits for."""
    with connect() as client:
        task = client.prepare(task_files(TINY, program=PROGRAM))
        pid = home.pid()
    until(lambda: ended(pid))
    return task


def until(true: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def ended(pid: int) -> bool:
    """Whether a process is gone, or waits for its parent to notice."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def sandbox(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run `python -m sandbox` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "sandbox", *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


# ---- from the first client to the last --------------------------------------------------------


def test_one_sandbox_serves_all_clients_and_ends_with_the_last(home: Home, task: Task) -> None:
    """It is started by the first client, shared by the second, and gone after the last."""
    with connect() as first:
        pid = home.pid()
        assert stat.S_IMODE((home.path / "sandbox.sock").stat().st_mode) == 0o600
        with connect() as second:
            assert home.pid() == pid
            assert second.tasks() == first.tasks() == [task]
            assert second.info().instance == home.instance
            request = TrialRequest(key="shared", task=task.hash, candidate=QUICK)
            result = second.run(request)
        assert result.outcome is Outcome.scored
        time.sleep(3.5)
        assert first.result("shared") == result, "the sandbox ended with a client left"
        assert home.pid() == pid
    until(lambda: ended(pid))
    assert home.left() == (0, 0)
    assert not (home.path / "sandbox.sock").exists()


def test_a_sandbox_ends_at_sigterm(home: Home) -> None:
    """Without `--on-demand` it serves until it is told to end; then nothing of it is left."""
    process = subprocess.Popen([sys.executable, "-m", "sandbox", "serve"])
    try:
        client = SandboxClient(home.path / "sandbox.sock")
        until((home.path / "sandbox.sock").exists)
        assert client.info().instance == home.instance
        client.close()
        process.send_signal(signal.SIGINT)
        time.sleep(3)
        assert process.poll() is None, "a Ctrl-C is the client's business"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
    assert not (home.path / "sandbox.sock").exists()
    assert home.left() == (0, 0)


def test_a_sandbox_that_ends_gives_no_lease(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that comes when the last one has just left hears so, and starts another sandbox."""
    monkeypatch.setattr(server, "IDLE_SECONDS", 0.1)
    ending = threading.Event()
    with served(Api(FakeSandbox(), ending.set), tmp_path / "s") as path:
        first, second, late = (SandboxClient(path) for _ in range(3))
        assert first.hold_lease()
        assert second.hold_lease()
        first.close()
        assert not ending.wait(1.5)
        second.close()
        assert ending.wait(10)
        assert not late.hold_lease()
        late.close()


# ---- ends in the middle of a trial ------------------------------------------------------------


def test_a_killed_client_takes_its_trial_along(home: Home, task: Task, tmp_path: Path) -> None:
    """A client that dies in a trial leaves no sandbox, no container, and its key free."""
    (tmp_path / "train.py").write_text(LONG)
    words = ["killed-client", task.hash, str(tmp_path / "train.py")]
    client = subprocess.Popen(
        [sys.executable, "-c", CLIENT, *words], stdout=subprocess.PIPE, text=True
    )
    with client:
        assert client.stdout is not None
        assert any(line.strip() == Stage.training for line in client.stdout)
        pid = home.pid()
        assert home.left() == (5, 1)
        client.kill()
    until(lambda: ended(pid))
    assert home.left() == (0, 0)
    with connect() as again:
        with pytest.raises(UnknownTrial):
            again.result("killed-client")
        request = TrialRequest(key="killed-client", task=task.hash, candidate=QUICK)
        assert again.run(request).outcome is Outcome.scored
        pid = home.pid()
    until(lambda: ended(pid))


def test_a_killed_sandbox_is_reaped_by_the_next(home: Home, task: Task) -> None:
    """After a SIGKILL the client hears of it, the next sandbox clears up, and the key runs."""
    heard: list[SandboxError] = []
    training = threading.Event()
    long = TrialRequest(key="killed-sandbox", task=task.hash, candidate=LONG)
    with connect() as client:

        def run() -> None:
            try:
                client.run(long, lambda p: training.set() if p.stage is Stage.training else None)
            except SandboxError as fault:
                heard.append(fault)

        thread = threading.Thread(target=run)
        thread.start()
        assert training.wait(60)
        pid = home.pid()
        os.kill(pid, signal.SIGKILL)
        thread.join(30)
    until(lambda: ended(pid))
    assert [type(fault) for fault in heard] == [EngineUnavailable]
    assert "Start it again" in heard[0].next_step
    assert home.left() == (5, 1), "nobody else clears up"
    with connect() as client:
        assert home.pid() != pid
        assert home.left() == (0, 0)
        with pytest.raises(UnknownTrial):
            client.result("killed-sandbox")
        quick = TrialRequest(key="killed-sandbox", task=task.hash, candidate=QUICK)
        assert client.run(quick).outcome is Outcome.scored
        pid = home.pid()
    until(lambda: ended(pid))
    assert home.left() == (0, 0)


def test_reap_clears_up_without_a_sandbox(home: Home, engine: Engine) -> None:
    """`python -m sandbox reap` removes what a dead process left, says how much, and ends."""
    host = Host.of(Config(home=home.path, socket=home.path / "x"), engine)
    for _ in range(2):
        order = probe_order(host, engine.image(host.config.agent_image).id)
        RoleContainer(engine, order, host.uids).create()
    labels = {LABEL + "instance": home.instance, LABEL + "role": "artifact"}
    engine.create_volume(f"sealed-{home.instance}-artifact-left", labels)
    assert home.left() == (2, 1)
    done = sandbox("reap")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "removed 2 containers, 1 volumes\n"
    assert home.left() == (0, 0)
    assert sandbox("reap").stdout == "removed 0 containers, 0 volumes\n"


# ---- what it can't start with -----------------------------------------------------------------

NOWHERE = "unix:///nowhere/docker.sock"


@pytest.mark.parametrize("verb", ["serve", "reap"])
def test_without_an_engine_it_ends_with_3(home: Home, verb: str) -> None:
    """One line says what is wrong and what to do, and no traceback."""
    done = sandbox(verb, DOCKER_HOST=NOWHERE)
    assert (done.returncode, done.stdout) == (3, "")
    (line,) = done.stderr.splitlines()
    kind, message, step = line.split("\t")
    assert kind == "engine_unavailable"
    assert "No container engine answers" in message
    assert "DOCKER_HOST" in step


@pytest.mark.parametrize(
    ("variable", "value", "fault", "says", "step"),
    [
        ("DOCKER_HOST", NOWHERE, EngineUnavailable, "No container engine", "scripts/engine.sh"),
        ("SEALED_RUNTIME", "nope", RuntimeMissing, "no runtime nope", "SEALED_RUNTIME"),
    ],
)
def test_a_client_hears_why_it_did_not_start(
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    fault: type[SandboxError],
    says: str,
    step: str,
) -> None:
    """What the sandbox said before it ended is the client's error, with its kind and next step."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(fault, match=says) as refused, connect():
        pytest.fail("a sandbox came up")
    assert step in refused.value.next_step
    assert not (home.path / "sandbox.sock").exists()


def test_what_asks_for_nothing_is_told_the_usage() -> None:
    """A wrong word on the command line is a usage error, not a sandbox."""
    done = sandbox("dance")
    assert done.returncode == 2
    assert "serve" in done.stderr
