"""The fake sandbox: what its comments say is what a trial comes to, and nothing is run."""

import threading
from pathlib import Path

import pytest

from sandbox.api import Outcome, Progress, Stage, TrialRequest
from sandbox.errors import Cancelled
from sandbox.fake.sandbox import FakeSandbox
from tests.unit.toy import FILES


def request(sandbox: FakeSandbox, candidate: str, key: str = "key") -> TrialRequest:
    """A trial on the toy task."""
    return TrialRequest(key=key, task=sandbox.prepare(FILES).hash, candidate=candidate)


def test_comments_decide() -> None:
    """Outcome, figures and texts are told in the candidate."""
    sandbox = FakeSandbox()
    result = sandbox.run(
        request(
            sandbox,
            "raise SystemExit\n# fake: score=1.5 rehearsal=1.25 seconds=3\n"
            "# fake: memory=7 log='one line'\n",
        )
    )
    assert (result.score, result.rehearsal_score, result.seconds) == (1.5, 1.25, 3)
    assert (result.peak_memory_bytes, result.log, result.log_bytes) == (7, "one line", 8)
    failed = sandbox.run(request(sandbox, "# fake: outcome=crash reason=why", "other"))
    assert (failed.outcome, failed.score, failed.reason) == (Outcome.crash, None, "why")


def test_without_comments_a_text_has_always_the_same_score() -> None:
    """From its hash, in every process."""
    scores = {
        sandbox.run(request(sandbox, text)).score
        for sandbox in (FakeSandbox(), FakeSandbox())
        for text in ("a = 1",)
    }
    assert len(scores) == 1


def test_comparisons_are_paired() -> None:
    """The difference is that of the scores; the standard error comes from `spread` alone."""
    sandbox = FakeSandbox()
    for name, told in (("a", "score=1"), ("b", "score=1.5"), ("c", "score=1.5 spread=0.8")):
        sandbox.run(request(sandbox, f"# fake: {told}", name))
    still, noisy = sandbox.compare(["b"], ["a"]), sandbox.compare(["c"], ["a"])
    assert [still.difference, noisy.difference] == pytest.approx([0.5, 0.5])
    assert still.standard_error == pytest.approx(0, abs=1e-12)
    assert noisy.standard_error == pytest.approx(0.1, rel=0.3)


def test_a_trial_that_waits_can_be_cancelled_and_run_again() -> None:
    """A cancelled trial has no result, and its key is free."""
    sandbox = FakeSandbox()
    training = threading.Event()

    def on_progress(progress: Progress) -> None:
        if progress.stage is Stage.training:
            training.set()

    def cancel() -> None:
        training.wait()
        sandbox.cancel("key")

    canceller = threading.Thread(target=cancel)
    canceller.start()
    with pytest.raises(Cancelled):
        sandbox.run(request(sandbox, "# fake: wait=60 score=1"), on_progress)
    canceller.join()
    assert sandbox.executed == []
    assert sandbox.run(request(sandbox, "# fake: score=2")).score == 2


def test_in_a_folder_it_remembers(tmp_path: Path) -> None:
    """A second fake there has the tasks and results of the first, and runs no key again."""
    first = FakeSandbox(tmp_path)
    result = first.run(request(first, "# fake: score=1"))
    second = FakeSandbox(tmp_path)
    assert second.tasks() == first.tasks()
    assert second.run(request(second, "# fake: score=1")) == result
    assert second.executed == ["key"]
