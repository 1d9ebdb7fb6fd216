"""Candidates that change nothing, on the real `tasks/text`: none is kept. Half an hour."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.candidate import Candidate
from controller.decision import Decision
from controller.task import read_task
from sandbox.service import Service
from tests.unit.toy import Scripted, drive, opened

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(7200)]

TEXT = Path(__file__).parents[2] / "tasks" / "text"
CANDIDATES, COMMENTS = 40, 5


def nulls(train: str) -> Iterator[Candidate]:
    """Half fix a seed, half set what nothing reads: as good as the first `train.py`, no better."""
    seeded = "    torch.manual_seed(seed)\n    rng = np.random.default_rng(seed)\n"
    assert seeded in train
    for number in range(CANDIDATES):
        if number % 2:
            yield Candidate(source=f"{train}\nUNUSED = {number}\n", hypothesis=f"unused {number}")
        else:
            fixed = seeded.replace("(seed)", f"({number})")
            yield Candidate(source=train.replace(seeded, fixed), hypothesis=f"seed {number}")
    # Comments are not even run.
    yield from (
        Candidate(source=f"{train}# {number}\n", hypothesis=f"comment {number}")
        for number in range(COMMENTS)
    )


def test_none_of_forty_candidates_that_change_nothing_is_kept(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By `confirmed`; the report has what the first trials alone would have led `naive` to keep."""
    monkeypatch.setenv("SEALED_RUNS", str(tmp_path))
    files = read_task(TEXT)
    with opened(service, files=files) as run:
        drive(run, service, Scripted(*nulls(files.train)))
        experiments = run.ledger.experiments()
        firsts = [run.ledger.trials(e.number)[0].score for e in experiments]
        trials = sum(e.trials for e in experiments)
        floor, refused = experiments[0].decision_reason, run.ledger.tally().refused
    kept = [e.number for e in experiments[1:] if e.decision is Decision.kept]
    best, naive = float("inf"), -1  # the task minimizes
    for score in firsts:
        assert score is not None
        if score < best:
            best, naive = score, naive + 1
    print(f"\nkept by confirmed: {kept}; by naive: {naive}; {trials} trials. {floor}")
    assert len(experiments) == CANDIDATES + 1
    assert refused == COMMENTS
    assert kept == []
