"""The supervisor: a run that goes on by itself, with a fake sandbox that comes and goes."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from controller import supervisor as supervisor_module
from controller.agents import Kind
from controller.driver import Order
from controller.ledger import RunLimits, Wanted
from controller.runs import all_runs, limit, reading, want
from controller.supervisor import Doing, Serving, Supervisor
from sandbox.api import Check, Sandbox, Verdict
from sandbox.errors import EngineUnavailable, SandboxError
from sandbox.fake.sandbox import FakeSandbox
from tests.unit.command import Sealed
from tests.unit.toy import PREPARE, fake

_SECONDS = 20


class Served:
    """A supervisor in a thread; `interrupt` ends it where it looks next."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, sandbox: FakeSandbox, **limits: int):
        self.faults: list[SandboxError] = []
        self.tried = 0
        self._sandbox, self._ended = sandbox, threading.Event()
        monkeypatch.setattr(supervisor_module, "WAIT_SECONDS", (0.01,))
        monkeypatch.setattr(supervisor_module.time, "sleep", self._sleep)
        order = Order(task="toy", limits=RunLimits(**limits))
        self.supervisor = Supervisor(order, self._connected)
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            self.supervisor.run()
        except KeyboardInterrupt:
            return

    def _sleep(self, seconds: float) -> None:
        if self._ended.wait(min(seconds, 0.02)):
            raise KeyboardInterrupt

    @contextmanager
    def _connected(self) -> Iterator[Sandbox]:
        self.tried += 1
        if self.faults:
            raise self.faults.pop(0)
        yield self._sandbox

    def __enter__(self) -> "Served":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(_SECONDS)
        assert not self._thread.is_alive()

    def until(self, met: Callable[[Serving], bool]) -> Serving:
        """Wait until the supervisor stands so."""
        deadline = time.monotonic() + _SECONDS
        while time.monotonic() < deadline:
            if met(serving := self.supervisor.serving()):
                return serving
            threading.Event().wait(0.01)
        raise AssertionError(f"it stands so: {self.supervisor.serving()}")


def halted(serving: Serving) -> bool:
    return serving.doing is Doing.halted


def test_it_waits_for_the_sandbox_and_then_drives(
    sealed: Sealed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What passes by itself is waited for; the run is begun once, and gone on with later."""
    sandbox = fake()
    served = Served(monkeypatch, sandbox, most_experiments=2)
    served.faults = [EngineUnavailable("No sandbox answers.", "Wait.")] * 3
    with served:
        serving = served.until(halted)
        assert (serving.run, serving.problem) == ("toy-1", "2 experiments are done.")
    assert served.tried == 4
    with Served(monkeypatch, sandbox, most_experiments=3) as again:
        again.until(halted)
    assert [folder.name for folder in all_runs()] == ["toy-1"]
    assert len(sandbox.executed) == len(set(sandbox.executed)) == 4


def test_a_run_at_its_limit_goes_on_once_a_person_gives_another(
    sealed: Sealed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`sealed resume --experiments 3`."""
    sandbox = fake()
    with Served(monkeypatch, sandbox, most_experiments=1) as served:
        served.until(halted)
        (folder,) = all_runs()
        limit(folder, RunLimits(most_experiments=3))
        want(folder, Wanted.running)
        served.until(lambda serving: serving.problem == "3 experiments are done.")
    assert len(sandbox.executed) == 4


def test_a_stopped_run_stays_stopped_until_it_is_resumed(
    sealed: Sealed, fake_sandbox: FakeSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also over a restart of the process."""
    sealed("run", "toy", "--experiments", "1")
    sealed("stop")
    with Served(monkeypatch, fake_sandbox, most_experiments=2) as served:
        serving = served.until(halted)
        assert serving.problem == "A person stopped it."
        sealed("resume")
        served.until(lambda serving: serving.problem == "2 experiments are done.")


def test_a_task_that_can_not_be_used_is_tried_again_once_it_is_mended(
    sealed: Sealed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page says what is wrong and what to do; a saved file is enough."""
    file = Path("tasks/toy/prepare.py")
    file.write_text("def prepare(to, rng): ...\n")
    with Served(monkeypatch, fake(), most_experiments=0) as served:
        serving = served.until(halted)
        assert serving.problem == "prepare.py has no function `score`."
        assert serving.next_step == "Write it."
        file.write_text(PREPARE)
        served.until(lambda serving: serving.problem == "0 experiments are done.")


def test_what_does_not_pass_is_not_tried_again(
    sealed: Sealed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sandbox that lost its state can't go on with the run: a person has to know."""
    sealed("run", "toy", "--experiments", "1")
    with Served(monkeypatch, fake(), most_experiments=2) as served:
        assert "signed with the key of another sandbox" in served.until(halted).problem
        assert served.tried == 1


def test_a_task_that_was_changed_gets_a_run_of_its_own(
    sealed: Sealed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scores of two programs can't be compared."""
    sandbox = fake()
    sealed("run", "toy", "--experiments", "1")
    Path("tasks/toy/train.py").write_text("RATE = 1.0  # search: 0.1 2.0\n# fake: score=1\n")
    with Served(monkeypatch, sandbox, most_experiments=0) as served:
        assert served.until(halted).run == "toy-2"


def test_pause_and_resume_while_it_drives(sealed: Sealed, monkeypatch: pytest.MonkeyPatch) -> None:
    """A paused run is driven still, and proposes nothing."""
    sandbox = fake()
    with Served(monkeypatch, sandbox) as served:
        served.until(lambda serving: serving.doing is Doing.driving)
        sealed("pause")
        (folder,) = all_runs()
        deadline = time.monotonic() + _SECONDS
        while True:
            with reading(folder) as (ledger, _):
                sessions = ledger.sessions()
            if sessions and sessions[-1].halt == "paused":
                break
            assert time.monotonic() < deadline
            threading.Event().wait(0.02)
        assert "paused" in sealed("status").output
        before = len(sandbox.executed)
        sealed("resume")
        while len(sandbox.executed) == before:
            assert time.monotonic() < deadline
            threading.Event().wait(0.02)
        sealed("stop")
        served.until(halted)


def test_a_replay_is_served_too(sealed: Sealed, monkeypatch: pytest.MonkeyPatch) -> None:
    """From another run, by its name; and without a source, the page says what is missing."""
    sealed("run", "toy", "--experiments", "2", "--name", "first")
    Path("tasks/toy/train.py").write_text("# other\n")
    sandbox = fake()
    monkeypatch.setattr(sandbox, "_landscape", lambda _: 1.0)
    served = Served(monkeypatch, sandbox)
    served.supervisor._order = Order(task="toy", agent=Kind.replay, source="first")
    with served:
        assert "has no more candidates" in served.until(halted).problem
    without = Served(monkeypatch, sandbox)
    Path("tasks/toy/train.py").write_text("# yet another\n")
    without.supervisor._order = Order(task="toy", agent=Kind.replay)
    with without:
        assert without.until(halted).problem == "A replay needs candidates."


def test_a_held_run_of_another_task_holds_nothing(
    sealed: Sealed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task without a run of its own, once mended, begins, whatever became of other runs."""
    sealed("run", "toy", "--experiments", "1", "--name", "other")
    sealed("stop", "other")
    file = Path("tasks/toy/prepare.py")
    file.write_text("def prepare(to, rng): ...\n")
    with Served(monkeypatch, fake(), most_experiments=0) as served:
        served.until(halted)
        file.write_text(PREPARE + "# mended\n")
        served.until(lambda serving: serving.problem == "0 experiments are done.")


def test_a_machine_that_is_mended_is_run_on(
    sealed: Sealed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the doctor finds is told with its next step, and looked at again."""
    sandbox = fake()
    broken = Check(
        name="timer",
        verdict=Verdict.failed,
        measured=True,
        detail="It lived.",
        next_step="Mend it.",
    )
    with monkeypatch.context() as patch:
        patch.setattr(sandbox, "doctor", lambda: [broken])
        with Served(monkeypatch, sandbox, most_experiments=1) as served:
            serving = served.until(lambda serving: serving.doing is Doing.waiting)
            assert (serving.problem, serving.next_step) == ("timer: It lived.", "Mend it.")
            assert sandbox.tasks() == []
            patch.undo()
            served.until(halted)
    assert len(sandbox.executed) == 2
