"""Champion and baseline trained again: a real gain holds, luck does not."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from controller.errors import Failed, Unusable
from controller.verify import rerun as module
from controller.verify.rerun import Claim, Rerun, rerun
from sandbox.api import no_progress
from sandbox.fake.sandbox import FakeSandbox
from tests.unit.toy import FILES, Scripted, candidates, drive, opened

NOISY = replace(FILES, train="# fake: score=1.0 noise=0.1\n")


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of a test are its own, and the luck of the trials is always the same."""
    monkeypatch.setenv("SEALED_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(module.secrets, "token_hex", lambda size: "ab" * size)


def run_of(tmp_path: Path, *told: str | float, trials: int = 5) -> Rerun:
    """What a rerun says of a run of these candidates."""
    sandbox = FakeSandbox()
    with opened(sandbox, files=NOISY) as run:
        drive(run, sandbox, Scripted(*candidates(*told)))
    return rerun(tmp_path / "runs" / "run", sandbox, trials, no_progress)


@pytest.mark.claim("gains-are-measured-again")
def test_a_real_gain_holds(tmp_path: Path) -> None:
    """Its interval is above zero and has the true gain in it."""
    found = run_of(tmp_path, "score=0.5 noise=0.1")
    assert found.claim is Claim.holds
    assert 0 < found.low < 0.5 < found.high
    assert found.champion == 1


@pytest.mark.claim("gains-are-measured-again")
def test_a_planted_false_gain_is_refuted(tmp_path: Path) -> None:
    """The luckiest of twenty that change nothing was kept; trained again, it gains nothing."""
    found = run_of(tmp_path, *["score=1.0 noise=0.1"] * 20)
    assert found.claimed > 0.15, "the run does claim a gain"
    assert found.claim is Claim.refuted
    assert found.low < 0 < found.high < found.claimed


def test_a_gain_within_the_noise_is_undecided(tmp_path: Path) -> None:
    """Two trials each can't tell; more can."""
    assert run_of(tmp_path, "score=0.85 noise=0.1", trials=2).claim is Claim.undecided


def test_a_champion_that_fails_claims_nothing(tmp_path: Path) -> None:
    """A gain that comes with crashes is none."""
    sandbox = FakeSandbox()
    with opened(sandbox, files=NOISY) as run:
        drive(run, sandbox, Scripted(*candidates("score=0.5")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sandbox.fake.sandbox.directives", lambda _: {"outcome": "crash"})
        with pytest.raises(Failed, match="champion's trial 1 ended as crash"):
            rerun(tmp_path / "runs" / "run", sandbox, 2, no_progress)


def test_a_run_that_kept_nothing_claims_nothing(tmp_path: Path) -> None:
    """There is no gain to measure again."""
    with pytest.raises(Unusable, match="nothing was kept"):
        run_of(tmp_path, "outcome=crash")
