"""Logs: secrets are not in them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sandbox.logs import redact


def redacted(**event: Any) -> dict[str, Any]:
    """An event as the renderer sees it."""
    return dict(redact(None, "info", event))


@pytest.mark.parametrize(
    "name", ["key", "api_key", "OPENAI_API_KEY", "token", "password", "Authorization", "salt",
             "seed", "trial_seed", "client_secret"],
)  # fmt: skip
def test_what_is_named_a_secret_is_blank(name: str) -> None:
    """Whatever its value, and of whatever type."""
    for value in ("x", 17, b"x", ["x"], {"a": 1}, None):
        assert redacted(**{name: value}) == {name: "[redacted]"}


@pytest.mark.parametrize(
    "text",
    ["sk-abcdefgh1234", "sk-ant-api03-AbC_d-9", "ghp_0123456789abcdef", "hf_abcdefghij",
     "xoxb-123456789-abc", "Bearer abc.def.ghi"],
)  # fmt: skip
def test_what_looks_like_a_secret_is_blank(text: str) -> None:
    """A key within a text is blanked wherever the text is, and the rest of the text stays."""
    assert redacted(event=f"call failed: {text} (401)") == {
        "event": "call failed: [redacted] (401)"
    }


def test_what_is_no_secret_stays() -> None:
    """Plain facts pass unchanged, the key of a trial among them."""
    event = {"event": "trial failed", "trial_key": "run-1-7", "attempts": 3, "risk": "task-9"}
    assert redacted(**event) == event


PROGRAM = """
import structlog
from sandbox.logs import configure
configure("sandbox")
log = structlog.get_logger("x")
def work(salt):
    order = {"candidate": "its-text", "salt": salt}
    raise ValueError("refused: Bearer abcdefgh")
try:
    work("salt-of-the-split")
except ValueError as fault:
    log.error("unexpected", exc_info=fault, api_key="its-key")
log.warning("warned")
log.info("told")
"""


def logged(**environment: str) -> list[dict[str, Any]]:
    """What a process of its own logs, without a terminal."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ""
    for secret in ("salt-of-the-split", "its-text", "abcdefgh", "its-key"):
        assert secret not in done.stderr
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_a_process_logs_json_to_stderr() -> None:
    """One document a line, warnings and worse; a traceback has neither secrets nor local values."""
    error, warning = logged(SEALED_LOG="")
    assert (error["event"], error["level"], error["service"]) == ("unexpected", "error", "sandbox")
    assert "ValueError: refused" in str(error["exception"])
    assert warning["event"] == "warned"


@pytest.mark.parametrize(("level", "count"), [("info", 3), ("ERROR", 1), ("nonsense", 2)])
def test_the_level_can_be_set(level: str, count: int) -> None:
    """`SEALED_LOG` says how much is told; a level that is none is the default."""
    assert len(logged(SEALED_LOG=level)) == count


ENDLESS = """
import sys
from pathlib import Path
import structlog
from sandbox import logs
logs.LOG_BYTES = 20_000
logs.configure("sandbox", Path(sys.argv[1]))
log = structlog.get_logger("x")
for number in range(1000):
    log.warning("told %s again", number=number, token="its-token")
"""


def test_a_log_file_is_cut_and_keeps_the_newest(tmp_path: Path) -> None:
    """Two files of bounded size, each line whole, the last one last; nothing on stderr."""
    file = tmp_path / "sandbox.log"
    words = [sys.executable, "-c", ENDLESS, str(file)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sandbox.log", "sandbox.log.1"]
    text = (tmp_path / "sandbox.log.1").read_text() + file.read_text()
    assert len(text) <= 2 * 20_000
    numbers = [json.loads(line)["number"] for line in text.splitlines()]
    assert numbers == list(range(numbers[0], 1000))
    assert "its-token" not in text
