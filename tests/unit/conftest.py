"""The command line in a folder of its own, with a fake sandbox behind it; rooms for relay, git."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from controller.cli import app
from controller.llm.caller import Caller
from controller.llm.client import Client
from controller.repository import Repository
from sandbox.fake.sandbox import FakeSandbox
from sealed_task import Predictors
from tests.support.played import Program, scoring
from tests.unit.command import Sealed
from tests.unit.relay_room import Make, Room, ask_one
from tests.unit.toy import PREPARE, PROGRAM, TRAIN, fake


@pytest.fixture
def fake_sandbox(monkeypatch: pytest.MonkeyPatch) -> FakeSandbox:
    """What every verb talks to."""
    found = fake()

    @contextmanager
    def connect() -> Iterator[FakeSandbox]:
        yield found

    monkeypatch.setattr("sandbox.client.connect", connect)
    return found


@pytest.fixture
def sealed(fake_sandbox: FakeSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sealed:
    """Runs a command in a folder that has the task `tasks/toy`."""
    task = tmp_path / "tasks" / "toy"
    task.mkdir(parents=True)
    for name, text in (("program.md", PROGRAM), ("train.py", TRAIN), ("prepare.py", PREPARE)):
        (task / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEALED_RUNS", str(tmp_path / "runs"))
    monkeypatch.delenv("SEALED_DEBUG", raising=False)

    def run(*arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        assert "\r" not in result.output
        return result

    return run


@pytest.fixture(scope="session")
def client() -> Iterator[Client]:
    """One process that calls models for all tests: its library takes seconds to import."""
    found = Client(20)
    yield found
    found.close()


@pytest.fixture
def lasting(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of the command line use that process too, and leave it alive."""
    monkeypatch.setattr("controller.driver.Client", lambda _: client)
    monkeypatch.setattr(Caller, "close", Caller.wait)


@pytest.fixture
def room() -> Iterator[Make]:
    """Makes rooms; at the end no program of theirs has failed or hangs."""
    made: list[Room] = []

    def make(scorer: Callable[[Predictors], bytes] | None, *predictors: Program) -> Room:
        made.append(Room(scoring(scorer or ask_one), list(predictors)))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    """A new one; the user's git has traps in its configuration."""
    home = tmp_path / "home"
    hooks = home / "templates" / "hooks"
    hooks.mkdir(parents=True)
    for name in ("post-commit", "reference-transaction", "post-index-change"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {home}/owned\n")
        (hooks / name).chmod(0o755)
    (home / ".gitconfig").write_text(
        f"[init]\n\ttemplateDir = {home}/templates\n\tdefaultBranch = trunk\n"
        f"[core]\n\thooksPath = {hooks}\n\tautocrlf = true\n\tattributesFile = {home}/attributes\n"
        "[commit]\n\tgpgSign = true\n[user]\n\tname = Somebody\n"
        '[filter "trap"]\n\tclean = sed s/a/b/\n'
    )
    (home / "attributes").write_text("* filter=trap\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Somebody")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    opened = Repository(tmp_path / "repository")
    yield opened
    opened.close()
    assert not (home / "owned").exists()
