"""The command line, with a fake sandbox behind it: runs and errors."""

import socket
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner

from controller.cli import app
from controller.cli.exits import _CODES
from controller.errors import ControllerError
from controller.runs import claimed
from sandbox import errors
from sandbox.api import Check
from sandbox.fake.sandbox import FakeSandbox
from tests.unit.command import Sealed, document, experiments
from tests.unit.toy import PROGRAM, TRAIN

# ---- run ----------------------------------------------------------------------------------------


def test_a_run_from_start_to_halt(sealed: Sealed) -> None:
    """A line for each experiment, the reason to halt, the best, and where to look."""
    out = sealed("run", "tasks/toy", "--experiments", "4").output
    assert "run toy-1 begins" in out
    assert "    0  baseline   " in out
    assert "    1  kept       " in out
    assert "    4  discarded  " in out
    assert "halted: 4 experiments are done." in out
    assert "best: " in out
    assert "by experiment 3" in out
    assert "log -p main" in out


def test_a_named_run_goes_on(sealed: Sealed, fake_sandbox: FakeSandbox) -> None:
    """Without a limit it keeps the one it has; with a larger one it does what is missing."""
    sealed("run", "toy", "--name", "night", "--experiments", "2")
    assert "run night goes on" in sealed("run", "toy", "--name", "night").output
    sealed("run", "toy", "--name", "night", "--experiments", "5")
    assert len(experiments("night")) == 6
    assert len(fake_sandbox.executed) == 6


def test_each_unnamed_run_is_new(sealed: Sealed) -> None:
    """The next free number."""
    for name in ("toy-1", "toy-2"):
        assert f"run {name} begins" in sealed("run", "toy", "--experiments", "0").output


def test_a_run_keeps_its_task_and_its_agent(sealed: Sealed) -> None:
    """Another train.py, or another agent, under the same name is refused with the way out."""
    sealed("run", "toy", "--name", "night", "--experiments", "1")
    out = sealed("run", "toy", "--name", "night", "--agent", "replay", "--from", ".", code=2)
    assert "began with the agent search" in out.output
    Path("tasks/toy/train.py").write_text(TRAIN + "# changed\n")
    out = sealed("run", "toy", "--name", "night", code=2)
    assert "began with other files" in out.output
    assert "Give another --name" in out.output


def test_a_run_that_is_driven_is_busy(sealed: Sealed) -> None:
    """Exit code 5, before anything else is done."""
    with claimed("toy", "night"):
        out = sealed("run", "toy", "--name", "night", code=5)
    assert "Another process drives the run night" in out.output


def test_an_interrupt_ends_it_cleanly(
    sealed: Sealed, fake_sandbox: FakeSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 130, how to go on, and a state from which it does."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fake_sandbox, "run", interrupted)
        out = sealed("run", "toy", "--experiments", "1", code=130)
    assert "`sealed run toy --name toy-1` goes on from here." in out.output
    assert document(sealed("status", "--json"))["halt"] == "interrupted"
    sealed("run", "toy", "--name", "toy-1")
    assert document(sealed("status", "--json"))["experiments"] == 1


def test_a_baseline_that_fails_is_one_clear_error(sealed: Sealed) -> None:
    """The sandbox says so when it prepares the task."""
    Path("tasks/toy/train.py").write_text(TRAIN + "# fake: outcome=crash\n")
    assert "train.py ends `crash`" in sealed("run", "toy", code=2).output


def test_a_run_whose_baseline_has_no_score_fails(
    sealed: Sealed, fake_sandbox: FakeSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 1, and where to look."""
    monkeypatch.setattr(fake_sandbox, "_landscape", lambda _: float("nan"))
    out = sealed("run", "toy", code=1)
    assert "has no score" in out.output
    assert "sealed experiment logs toy-1" in out.output


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run"], 2, "Missing argument"),
        (["run", "digits"], 4, "No task folder is at digits"),
        (["run", "toy", "--agent", "llm"], 2, "llm"),
        (["run", "toy", "--agent", "replay"], 2, "needs candidates"),
        (["run", "toy", "--from", "."], 2, "takes no candidates"),
        (["run", "toy", "--agent", "replay", "--from", "nowhere"], 4, "No run is named nowhere"),
        (["run", "toy", "--experiments", "-1"], 2, "greater than or equal to 0"),
        (["run", "toy", "--hours", "nan"], 2, "greater than or equal to 0"),
        (["run", "toy", "--name", "../x"], 2, "no name for a run"),
        (["try", "toy", "absent.py"], 4, "No file is at absent.py"),
        (["status"], 4, "No run is in"),
        (["status", "absent"], 4, "No run is named absent"),
        (["export", "absent"], 4, "No run is named absent"),
        (["experiment", "show", "absent", "1"], 4, "No run is named absent"),
        (["task", "forget", "abc"], 4, "No task abc"),
        (["dream"], 2, "dream"),
    ],
)
def test_bad_input_gets_one_clear_error(
    sealed: Sealed, arguments: list[str], code: int, message: str
) -> None:
    """With an exit code that tells the kinds apart."""
    assert message in sealed(*arguments, code=code).output


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("speed: 3", "can't be used"),
        ("cpus: 0", "cpus is 0"),
        ("goal: better", "can't be used"),
        ("budget_seconds: .nan", "budget_seconds"),
    ],
)
def test_unknown_and_impossible_settings_are_named(sealed: Sealed, line: str, message: str) -> None:
    """What the sandbox refuses is passed on with its next step."""
    name = line.split(":", maxsplit=1)[0]
    kept = [old for old in PROGRAM.splitlines() if not old.startswith(name)]
    kept.insert(1, line)
    Path("tasks/toy/program.md").write_text("\n".join(kept))
    out = sealed("run", "toy", code=2).output
    assert message in out
    assert "next: " in out


# ---- errors -------------------------------------------------------------------------------------


def test_every_error_has_an_exit_code() -> None:
    """A new kind of error has to be given one."""
    kinds = {*errors.KINDS.values(), *ControllerError.__subclasses__()}
    assert set(_CODES) == kinds


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("engine_unavailable", 3),
        ("no_space", 3),
        ("runtime_missing", 3),
        ("too_few_resources", 3),
        ("image_unfit", 3),
        ("cancelled", 130),
        ("internal", 1),
    ],
)
def test_errors_of_the_sandbox_become_exit_codes(
    sealed: Sealed,
    fake_sandbox: FakeSandbox,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    code: int,
) -> None:
    """What is wrong and what to do, each in its line on stderr."""

    def refuse() -> list[Check]:
        raise errors.from_kind(kind, "It is \x1b[31mso.", "Do this.")

    monkeypatch.setattr(fake_sandbox, "doctor", refuse)
    result = sealed("doctor", code=code)
    assert result.stderr == "error: It is \ufffd[31mso.\nnext: Do this.\n"
    assert result.stdout == ""


@pytest.mark.parametrize("fault", [OSError("disk full"), sqlite3.OperationalError("disk full")])
def test_a_full_disk_is_no_traceback(
    sealed: Sealed, fake_sandbox: FakeSandbox, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    """Faults of files become one line, unless SEALED_DEBUG asks for more."""

    def refuse() -> list[Check]:
        raise fault

    monkeypatch.setattr(fake_sandbox, "doctor", refuse)
    assert "disk full" in sealed("doctor", code=1).output
    monkeypatch.setenv("SEALED_DEBUG", "1")
    assert CliRunner().invoke(app, ["doctor"]).exception is fault


def test_help_is_help(sealed: Sealed) -> None:
    """Every verb of the product is named in it."""
    out = sealed("--help").output
    for verb in ("run", "try", "status", "experiment", "export", "task", "doctor"):
        assert f"  {verb} " in out


# ---- pause, resume, stop, serve -----------------------------------------------------------------


def test_a_run_that_nobody_drives_is_told_so(sealed: Sealed) -> None:
    """The wish is kept, and the next step is named."""
    sealed("run", "toy", "--experiments", "1")
    assert "driven by no process now; it stays as it is" in sealed("pause").output
    assert "goes on once" in sealed("resume", "toy-1").output
    assert "toy-1 is driven by no process" in sealed("stop", "toy-1").output
    assert "No run is named other" in sealed("stop", "other", code=4).output


def test_starting_a_run_by_hand_ends_what_held_it(sealed: Sealed) -> None:
    """`sealed run --name` after `sealed stop` goes on without a `sealed resume`."""
    sealed("run", "toy", "--name", "night", "--experiments", "1")
    sealed("stop", "night")
    sealed("run", "toy", "--name", "night", "--experiments", "2")
    assert len(experiments("night")) == 3


def test_a_plateau_is_a_reason_to_halt(sealed: Sealed) -> None:
    """With exit code 0: it did what it was told to."""
    out = sealed("run", "toy", "--plateau", "3", "--experiments", "500").output
    assert "halted: None of the last 3 experiments was kept." in out


def test_a_port_that_is_taken_is_told(sealed: Sealed) -> None:
    """Before anything is prepared, and with the way out."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        out = sealed("serve", "toy", "--port", port, code=2).output
    assert f"The page can't listen on 127.0.0.1, port {port}: " in out
    assert "SEALED_PORT" in out


def test_a_task_that_is_not_there_is_not_served(sealed: Sealed) -> None:
    """A typing error is no reason to wait for ever."""
    assert "No task folder is at nowhere" in sealed("serve", "nowhere", code=4).output
