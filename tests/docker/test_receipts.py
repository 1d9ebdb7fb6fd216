"""A run by the loop on a real engine: what the sandbox signs of it is what verifying expects."""

import secrets
import sqlite3
from pathlib import Path
from types import SimpleNamespace

import pytest

from controller.candidate import Candidate
from controller.decision import Decision
from controller.verify import verify
from controller.verify.rerun import Claim, rerun
from sandbox.api import Task, no_progress
from sandbox.service import Service
from tests.conftest import TINY
from tests.contract.conftest import BETTER, CRASHES, TRAIN
from tests.support.files import task_files
from tests.unit import toy
from tests.unit.toy import Scripted, drive, opened

pytestmark = pytest.mark.docker


@pytest.mark.claim("receipts-show-tampering")
def test_a_real_run_is_what_it_says(
    service: Service, tiny: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gain and a crash, signed by the real sandbox; a figure changed afterwards is named."""
    monkeypatch.setenv("SEALED_RUNS", str(tmp_path))
    monkeypatch.setattr(toy, "RUN_ID", secrets.token_hex(8))  # the sandbox knows it for ever
    agent = Scripted(
        Candidate(source=BETTER, hypothesis="the right scale"),
        Candidate(source=CRASHES, hypothesis="no luck"),
    )
    with opened(service, files=task_files(TINY)) as run:
        drive(run, service, agent)
        decisions = [experiment.decision for experiment in run.ledger.experiments()]
    assert decisions == [Decision.kept, Decision.kept, Decision.discarded]
    found = verify(tmp_path / "run", None)
    assert found.findings == []
    assert (found.receipts, found.trials) == (5, 3)
    assert found.data == [service.verify(tiny.hash).data]
    assert len(found.images) == 1
    assert set(found.images[0].values()) <= set(service.info().images.values())
    with sqlite3.connect(tmp_path / "run" / "ledger.sqlite") as db:
        db.execute("UPDATE trials SET score = score / 2 WHERE experiment = 1")
    assert [f.experiment for f in verify(tmp_path / "run", None).findings] == [1]


@pytest.mark.claim("gains-are-measured-again")
@pytest.mark.slow
def test_a_hard_coded_lucky_seed_is_refuted(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A candidate that is better by one seed alone is kept where it draws that; a rerun tells."""
    monkeypatch.setenv("SEALED_RUNS", str(tmp_path))
    monkeypatch.setattr(toy, "RUN_ID", secrets.token_hex(8))
    lucky = TRAIN.replace(
        "    np.save(", "    weights = weights * (2 if seed == 7 else 1)\n    np.save("
    )
    agent = Scripted(Candidate(source=lucky, hypothesis="only a little tidier"))
    with opened(service, files=task_files(TINY)) as run:
        with monkeypatch.context() as patch:
            patch.setattr("sandbox.trials.trial.secrets", SimpleNamespace(randbits=lambda _: 7))
            drive(run, service, agent)
        assert run.ledger.experiment(1).decision is Decision.kept
    assert verify(tmp_path / "run", None).findings == [], "it is a true record of luck"
    found = rerun(tmp_path / "run", service, 2, no_progress)
    assert found.claim is Claim.refuted
    assert found.high < found.claimed
