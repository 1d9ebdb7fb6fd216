"""The short soak, with real processes and containers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.engine import Engine
from tests.support.tasks import ROOT

TRIALS = 30


@pytest.mark.docker
@pytest.mark.timeout(900)
@pytest.mark.claim("kills-lose-nothing")
def test_a_short_soak_is_clean(engine: Engine, tmp_path: Path) -> None:
    """Kills and lies leave nothing, lose nothing, double nothing; `make soak` is the long one."""
    path = os.pathsep.join((str(ROOT), str(ROOT / "images" / "common")))
    run = subprocess.run(
        [sys.executable, "-m", "tests.soak"],
        env=os.environ | {"SOAK_TRIALS": str(TRIALS), "PYTHONPATH": path},
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    report = json.loads((tmp_path / "soak.json").read_text())
    assert report["clean"]
    assert sum(report["outcomes"].values()) == TRIALS + 1
    assert sum(report["kills"].values()) >= 2
