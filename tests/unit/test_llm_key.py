"""The key of a provider stays where it is: no place that others read has it."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.errors import Unusable
from controller.llm import client as client_module
from controller.llm import keys
from controller.llm.keys import key_of
from controller.status import status_of
from sandbox.api import OnProgress, TrialRequest, TrialResult
from sandbox.fake.sandbox import FakeSandbox
from tests.support import scripted_llm as scenes
from tests.support.scripted_llm import ScriptedLLM, good, scripted
from tests.unit.command import Sealed
from tests.unit.models import BETTER, KEY, WIDER
from tests.unit.web import asking

FREE = ("--price-in", "0", "--price-out", "0")
LOCAL = ("--endpoint", "http://127.0.0.1:9/v1", *FREE)


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of this machine are none of ours."""
    monkeypatch.setattr(keys, "_taken", {})
    for name in list(os.environ):
        if name.endswith("_API_KEY") or name.startswith("SEALED_LLM"):
            monkeypatch.delenv(name)


@pytest.fixture
def leaky() -> Iterator[ScriptedLLM]:
    """A server that gives the key back in its errors and in its replies."""
    reply = good(BETTER.text.replace("A larger step", f"With {KEY} a larger step"))
    with scripted(scenes.DOWN, good(f"Your key is {KEY}."), reply, WIDER) as server:
        yield server


@pytest.mark.claim("key-stays-here")
@pytest.mark.parametrize("way", ["environment", "file"])
def test_the_key_is_nowhere(
    sealed: Sealed,
    fake_sandbox: FakeSandbox,
    leaky: ScriptedLLM,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
    way: str,
) -> None:
    """Run, repository, exports, pages, prompts, logs, and other processes; yet it was used."""
    if way == "file":
        request.getfixturevalue("lasting")
        secret = tmp_path / "secret"
        secret.write_text(f"{KEY}\n")
        monkeypatch.setenv("SEALED_LLM_KEY_FILE", str(secret))
    else:
        monkeypatch.setenv("SEALED_LLM_KEY", KEY)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
    seen: dict[str, bytes] = {}
    started, run = client_module.Client._started, FakeSandbox.run

    def watched(self: client_module.Client) -> Any:
        process = started(self)
        if process is not None:
            for file in ("environ", "cmdline"):
                seen[file] = Path(f"/proc/{process.pid}/{file}").read_bytes()
        return process

    def in_a_child(self: FakeSandbox, asked: TrialRequest, on_progress: OnProgress) -> TrialResult:
        # What git and a sandbox that is started here would inherit.
        seen["child"] = subprocess.run(["env"], check=True, capture_output=True).stdout
        seen["trial"] = repr(asked).encode()
        return run(self, asked, on_progress)

    monkeypatch.setattr(client_module.Client, "_started", watched)
    monkeypatch.setattr(FakeSandbox, "run", in_a_child)
    model = ("--agent", "llm", "--model", "openai/x", "--endpoint", leaky.url)
    seen["run"] = sealed("run", "toy", *model, *FREE, "--experiments", "2").output.encode()
    assert set(leaky.books.keys) == {f"Bearer {KEY}"}, "the control: it was sent"
    assert leaky.books.calls == 4
    seen["prompts"] = json.dumps(leaky.books.prompts).encode()
    for number, verb in enumerate(
        (
            ("status",),
            ("status", "--json"),
            ("experiment", "show", "1"),
            ("experiment", "show", "1", "--json"),
            ("experiment", "logs", "1"),
            ("export",),
            ("export", "--format", "jsonl"),
        )
    ):
        seen[f"verb {number}"] = sealed(*verb).output.encode()
    git = ["git", "-C", "runs/toy-1/repository", "log", "-p", "--all"]
    seen["git"] = subprocess.run(git, check=True, capture_output=True).stdout
    with asking() as browser:
        for path in ("/", "/index.json", "/runs/toy-1", "/runs/toy-1/experiments/1"):
            seen[path] = browser.get(path).content
    for file in Path("runs").rglob("*"):
        if file.is_file():
            seen[str(file)] = file.read_bytes()
    out, err = capfd.readouterr()
    seen["logs"] = (out + err).encode()
    assert b"[key]" in seen["runs/toy-1/ledger.sqlite"], "the control: the server's text is there"
    assert b"With [key] a larger step" in seen["git"]
    assert [place for place, data in seen.items() if KEY.encode() in data] == []
    assert KEY not in str(dict(os.environ))


def test_a_provider_has_its_own_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless a key is set for all; an endpoint of one's own gets none that was not meant for it."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a")
    monkeypatch.setenv("OPENAI_API_KEY", "o")
    keys.take()
    assert "ANTHROPIC_API_KEY" not in os.environ
    assert key_of("anthropic/x", None) == "a"
    assert key_of("openai/x", None) == "o"
    assert key_of("openai/x", "http://127.0.0.1:1/v1") == ""
    monkeypatch.setenv("SEALED_LLM_KEY", "all")
    keys.take()
    assert key_of("openai/x", "http://127.0.0.1:1/v1") == key_of("anthropic/x", None) == "all"


def test_a_missing_key_and_an_unreadable_file_are_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With the variables that could be set, and without the file's bytes."""
    with pytest.raises(Unusable, match="No key for anthropic/x is set") as caught:
        key_of("anthropic/x", None)
    assert "ANTHROPIC_API_KEY" in caught.value.next_step
    monkeypatch.setenv("SEALED_LLM_KEY_FILE", str(tmp_path / "absent"))
    with pytest.raises(Unusable, match="can't be read"):
        key_of("anthropic/x", None)
    (tmp_path / "absent").write_bytes(b"\xff\xfe")
    with pytest.raises(Unusable, match="UnicodeDecodeError"):
        key_of("anthropic/x", None)


# ---- the command --------------------------------------------------------------------------------


@pytest.mark.usefixtures("lasting")
def test_a_provider_that_is_down_is_waited_for_and_seen_to_be(
    sealed: Sealed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The terminal, `sealed status` and the page say why; then the run goes on by itself."""
    told: list[str] = []

    def look(*_: object) -> float:
        told.append(status_of(Path("runs/toy-1")).waits_for or "")
        told.append(sealed("status").output)
        with asking() as browser:
            told.append(browser.get("/").text)
        return 0.0

    monkeypatch.setattr("controller.driver.seconds_to_wait", look)
    with scripted(*[scenes.DOWN] * 3, BETTER) as server:
        model = ("--agent", "llm", "--model", "openai/x", "--endpoint", server.url)
        out = sealed("run", "toy", *model, *FREE, "--experiments", "1", "--calls", "9").output
    assert "paused: openai/x does not answer: " in out
    assert "halted: 1 experiments are done." in out
    assert len(told) == 3
    assert all("openai/x does not answer" in text for text in told)
    assert "Dollars" in told[2]
    status = sealed("status").output
    assert "models:      openai/x" in status
    assert "0 dollars; " in status
    assert "4 of 9 calls" in status
    assert sealed("resume", "--calls", "3").exit_code == 0
    assert "4 of 3 calls" in sealed("status").output


@pytest.mark.usefixtures("lasting")
def test_a_run_goes_on_with_its_models_and_its_replies(sealed: Sealed) -> None:
    """Without saying them again; another agent is refused."""
    with scripted(BETTER, WIDER) as server:
        model = ("--agent", "llm", "--model", "openai/x", "--endpoint", server.url)
        sealed("run", "toy", "--name", "night", *model, *FREE, "--experiments", "1")
        sealed("run", "toy", "--name", "night", "--experiments", "2")
        assert server.books.calls == 2
        out = sealed("run", "toy", "--name", "night", "--agent", "search", code=2).output
    assert "began with the agent llm" in out
    shown = sealed("experiment", "show", "night", "2").output
    assert "experiment:  2, by llm:openai/x" in shown
    assert "1 calls" in shown


@pytest.mark.usefixtures("lasting")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--agent", "llm"], "needs a model"),
        (["--agent", "llm", "--model", "nonsense"], "names no model"),
        (["--model", "openai/nonsense"], "an unknown price is not zero"),
        (["--agent", "llm", "--model", "openai/x", *FREE], "No key for openai/x is set"),
        (["--agent", "llm", "--model", "openai/x", "--endpoint", "http://127.0.0.1:9/v1"], "price"),
        (["--agent", "llm", "--from", ".", "--model", "openai/x", *LOCAL], "takes no candidates"),
    ],
)
def test_what_is_missing_is_told_before_anything_is_prepared(
    sealed: Sealed, arguments: list[str], message: str
) -> None:
    """As any other bad input: one error and the next step."""
    out = sealed("run", "toy", *arguments, code=2).output
    assert message in out
    assert "next: " in out
