"""Killed in the middle of a call and started again, no proposal is lost and none is paid twice."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from controller.agents.llm import LLM
from controller.halting import Halted
from controller.ledger import Halt, Ledger, RunLimits
from controller.llm import keys
from controller.llm.caller import Caller
from controller.llm.client import Client
from sandbox.fake.sandbox import FakeSandbox
from tests.support import scripted_llm as scenes
from tests.support.scripted_llm import scripted
from tests.unit.models import BETTER, KEY, REPLY_TOKENS, WIDER, model
from tests.unit.test_controller_killed import Fuse, Killed
from tests.unit.toy import drive, landscape, ledger_of, opened


def go(home: Path, server: str, experiments: int, client: Client | None = None) -> Halted:
    """One process's life: it opens the run, or goes on with it, until the run halts."""
    sandbox = FakeSandbox(home, landscape=landscape)
    keys._taken["SEALED_LLM_KEY"] = KEY
    with opened(sandbox) as run:
        run.ledger.set_models([model(server)])
        run.limit(RunLimits(most_experiments=experiments))
        caller = Caller(run.folder, client or Client(60))
        end = drive(run, sandbox, LLM(caller, "seed"))
        caller.wait()
        return end


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """State of the fake, beside the runs of the test."""
    monkeypatch.setenv("SEALED_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(keys, "_taken", {})
    return tmp_path


@pytest.mark.claim("replies-are-paid-once")
def test_kill_9_in_the_middle_of_a_call(home: Path) -> None:
    """The reply that was stored is not asked for again; the cut one counts as reserved."""
    script = (
        "from pathlib import Path; from tests.unit.test_llm_killed import go\n"
        f"go(Path({str(home)!r}), {{url!r}}, 2)"
    )
    root = Path(__file__).parents[2]
    with scripted(BETTER, scenes.HANG, WIDER) as server:
        command = [sys.executable, "-c", script.format(url=server.url)]
        with subprocess.Popen(command, cwd=root) as process:
            until(lambda: server.books.calls == 2)
            (child,) = children(process.pid)
            until(lambda: bool(recorded()))
            process.kill()
        assert process.returncode == -signal.SIGKILL
        until(lambda: not Path(f"/proc/{child}/exe").exists())
        subprocess.run(command, cwd=root, check=True, timeout=120)
        with ledger_of() as ledger:
            first, cut, last = ledger.calls()
            experiments, tally, total = ledger.experiments(), ledger.tally(), ledger.spending()
    assert [e.hypothesis for e in experiments[1:]] == [
        "A larger step learns faster.",
        "More units.",
    ]
    assert tally.refused == 0
    assert (cut.settled_at, cut.completion_tokens) == (None, REPLY_TOKENS)
    assert total.calls == server.books.calls == 3
    sure = first.nanodollars + last.nanodollars
    assert sure == server.books.nanodollars
    assert total.nanodollars == sure + cut.nanodollars


@pytest.mark.claim("replies-are-paid-once")
@pytest.mark.parametrize(
    ("step", "when", "served", "counted"),
    [
        ("reserve", "before", 1, 1),
        ("reserve", "after", 1, 2),
        ("settle", "before", 2, 2),
        ("settle", "after", 1, 1),
        ("propose", "before", 1, 1),
        ("propose", "after", 1, 1),
    ],
)
def test_killed_at_each_step_of_a_call(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    client: Client,
    step: str,
    when: str,
    served: int,
    counted: int,
) -> None:
    """Only a reply that was never stored is asked for again; nothing served is uncounted."""
    fuse = Fuse(monkeypatch, Ledger, step, when)
    with scripted(BETTER) as server:
        fuse.left = 1
        with pytest.raises(Killed):
            go(home, server.url, 1, client)
        fuse.left = 0
        assert go(home, server.url, 1, client).halt is Halt.experiments
        with ledger_of() as ledger:
            total, experiments = ledger.spending(), ledger.experiments()
    assert (server.books.calls, total.calls) == (served, counted)
    assert total.nanodollars >= server.books.nanodollars
    assert [e.hypothesis for e in experiments[1:]] == ["A larger step learns faster."]


def recorded() -> list[object]:
    """Experiments after the baseline that are over."""
    with ledger_of() as ledger:
        return [e for e in ledger.experiments(1) if e.commit_id is not None]


def children(pid: int) -> list[int]:
    """Processes that a process has started and that live."""
    return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def until(condition: Callable[[], bool], seconds: float = 90) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
