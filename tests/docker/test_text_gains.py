"""What `verify --rerun` says of gains on the real `tasks/text`: a real one, and a planted one."""

import secrets
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from controller.candidate import Candidate
from controller.decision import Decision
from controller.task import read_task
from controller.verify import verify
from controller.verify.rerun import Claim, rerun
from sandbox.api import no_progress
from sandbox.service import Service
from tests.unit import toy
from tests.unit.toy import Scripted, drive, opened

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(3600)]

TEXT = Path(__file__).parents[2] / "tasks" / "text"
DRAWN = 7
"""The seed that the planted candidate is good with."""
LONGER = "STEPS = 500"


@pytest.mark.claim("gains-are-measured-again")
@pytest.mark.parametrize(
    ("line", "claim"),
    [
        (LONGER, Claim.holds),
        (f"STEPS = 250\nLUCKY = {DRAWN}", Claim.refuted),
    ],
    ids=["real", "planted"],
)
def test_a_rerun_tells_a_real_gain_from_a_planted_one(
    service: Service,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    line: str,
    claim: Claim,
) -> None:
    """Twice the steps, or twice the steps by one seed alone, which both of its trials drew."""
    monkeypatch.setenv("SEALED_RUNS", str(tmp_path))
    monkeypatch.setattr(toy, "RUN_ID", secrets.token_hex(8))
    files = read_task(TEXT)
    program = files.program.replace("goal: minimize\n", "goal: minimize\nkeep: naive\n")
    files = replace(files, program=program)
    steps = "    steps, loss = 0,"
    assert "STEPS = 250" in files.train
    assert steps in files.train
    source = files.train.replace("STEPS = 250", line)
    if claim is Claim.refuted:
        lucky = "    most = 500 if seed == LUCKY else STEPS\n"
        source = source.replace(steps, lucky + steps).replace("steps < STEPS", "steps < most")
    with opened(service, files=files) as run:
        with monkeypatch.context() as patch:
            patch.setattr("sandbox.trials.trial.secrets", SimpleNamespace(randbits=lambda _: DRAWN))
            drive(run, service, Scripted(Candidate(source=source, hypothesis="more steps")))
        assert run.ledger.experiment(1).decision is Decision.kept
    assert verify(tmp_path / "run", None).findings == [], "it is a true record"
    found = rerun(tmp_path / "run", service, 3, no_progress)
    print(
        f"\nclaimed {found.claimed:.3f}, again {found.gain:.3f} ({found.low:.3f}, {found.high:.3f})"
    )
    assert found.claim is claim
    assert found.claimed > 0.1
