"""The sandbox's health check, and who may use its socket."""

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sandbox import wire
from sandbox.errors import EngineUnavailable
from sandbox.fake.sandbox import FakeSandbox
from sandbox.health import _INFO, look
from sandbox.server import Api
from tests.support.serving import served


def test_a_sandbox_that_answers_is_well(tmp_path: Path) -> None:
    """It has an engine and images then: `info` names both."""
    assert _INFO == wire.INFO
    with served(Api(FakeSandbox(), None), tmp_path / "s") as path:
        assert look(str(path)) == ""


def test_a_sandbox_without_its_engine_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it says is what the check says."""
    fake = FakeSandbox()

    def gone() -> None:
        raise EngineUnavailable("No engine.", "Start it.")

    monkeypatch.setattr(fake, "info", gone)
    with served(Api(fake, None), tmp_path / "s") as path:
        assert look(str(path)) == "No engine. Start it."


def test_no_sandbox_is_not_well(tmp_path: Path) -> None:
    """As a program: exit status 1, and one line."""
    done = subprocess.run(
        [sys.executable, "-m", "sandbox.health"],
        env={**os.environ, "SEALED_SOCKET": str(tmp_path / "nobody")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("The sandbox does not answer at")
    assert len(done.stderr.splitlines()) == 1


SERVE = """
import sys
from pathlib import Path
from sandbox.fake.sandbox import FakeSandbox
from sandbox.server import serve
serve(FakeSandbox(), Path(sys.argv[1]), on_demand=False)
"""


@pytest.mark.parametrize(("folder", "mode"), [(0o700, 0o600), (0o2770, 0o660)])
def test_a_socket_is_shared_with_a_group_only_in_a_folder_that_says_so(
    folder: int, mode: int, tmp_path: Path
) -> None:
    """A setgid folder is how Compose's two users share it; anywhere else it is its user's alone."""
    place = tmp_path / "api"
    place.mkdir()
    place.chmod(folder)
    path = place / "s"
    with subprocess.Popen([sys.executable, "-c", SERVE, str(path)]) as process:
        try:
            deadline = time.monotonic() + 30
            while look(str(path)):
                assert time.monotonic() < deadline
                time.sleep(0.05)
            assert stat.S_IMODE(path.stat().st_mode) == mode
        finally:
            process.terminate()
    assert process.returncode == 0
    assert not path.exists()
