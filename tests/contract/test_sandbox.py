"""What every `api.Sandbox` does, real or fake, near or over a socket."""

import time
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from sandbox.api import (
    Advisory,
    Goal,
    Outcome,
    Progress,
    Sandbox,
    Stage,
    Task,
    TrialRequest,
    Verdict,
)
from sandbox.errors import BadCandidate, BadRequest, BadTask, Cancelled, UnknownTask, UnknownTrial
from tests.conftest import TINY
from tests.contract.conftest import BETTER, CRASHES, TRAIN, WAITS, WORSE, start
from tests.support.files import task_files

Order = Callable[..., TrialRequest]


# ---- tasks ------------------------------------------------------------------------------------


def test_a_prepared_task_has_its_settings(task: Task) -> None:
    """`prepare` answers with the hash and the settings that the front matter gives."""
    assert len(task.hash) == 64
    assert task.name == "tiny"
    assert task.settings.goal is Goal.minimize
    assert task.settings.budget_seconds == 1


def test_preparing_again_changes_nothing(sandbox: Sandbox, task: Task) -> None:
    """The same three files are the same task, as old as it was."""
    assert sandbox.prepare(task_files(TINY)) == task
    assert [t.hash for t in sandbox.tasks()].count(task.hash) == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"program": "no front matter"}, "front matter"),
        ({"program": "---\nmetric: x\ngoal: sideways\nbudget_seconds: 1\n---\n"}, "goal"),
        ({"program": "---\nmetric: x\ngoal: minimize\nbudget_seconds: -1\n---\n"}, "budget"),
        ({"program": "---\nmetric: x\ngoal: minimize\n---\n"}, "budget_seconds"),
        (
            {"program": "---\nmetric: x\ngoal: minimize\nbudget_seconds: 1\nbudged: 2\n---\n"},
            "budged",
        ),
        ({"train": "x = 1\n" * 20_000}, "train.py"),
        ({"train": ""}, "train.py"),
        ({"prepare": "def score(data, predictors): ...\n"}, "prepare"),
        ({"train": TRAIN.replace("    x = np", "    1 / 0\n    x = np")
          + "\n# fake: outcome=crash\n"}, "crash"),
    ],
    ids=["no-front-matter", "goal", "budget", "missing", "unknown", "large", "empty",
         "no-prepare", "baseline-crashes"],
)  # fmt: skip
def test_an_impossible_task_is_refused(sandbox: Sandbox, change: dict[str, str], says: str) -> None:
    """A task that can't work is a `BadTask` that names what is wrong and what to do."""
    with pytest.raises(BadTask, match=says) as refused:
        sandbox.prepare(task_files(TINY, **change))
    assert refused.value.next_step


def test_verify_answers_with_the_task(sandbox: Sandbox, task: Task) -> None:
    """Data that nobody touched is what `prepare` wrote."""
    assert sandbox.verify(task.hash) == task


def test_an_unknown_task_is_refused(sandbox: Sandbox) -> None:
    """A hash that was never prepared is an `UnknownTask`, for every call that takes one."""
    unknown = "0" * 64
    for call in (
        lambda: sandbox.verify(unknown),
        lambda: sandbox.forget(unknown),
        lambda: sandbox.run(TrialRequest(key="k", task=unknown, candidate=BETTER)),
        lambda: sandbox.run(TrialRequest(key="k", task="../../etc/passwd", candidate=BETTER)),
    ):
        with pytest.raises(UnknownTask):
            call()


def test_a_forgotten_task_is_gone(sandbox: Sandbox) -> None:
    """`forget` removes a task; it can be prepared again."""
    files = task_files(TINY, program=(TINY / "program.md").read_text() + "\nMore prose.\n")
    task = sandbox.prepare(files)
    sandbox.forget(task.hash)
    assert task.hash not in [t.hash for t in sandbox.tasks()]
    with pytest.raises(UnknownTask):
        sandbox.verify(task.hash)


# ---- trials -----------------------------------------------------------------------------------


def test_a_scored_trial(sandbox: Sandbox, task: Task, order: Order) -> None:
    """A working candidate is scored on held-out and rehearsal data, with what it took."""
    request = order(BETTER)
    result = sandbox.run(request)
    assert result.outcome is Outcome.scored
    assert result.key == request.key
    assert result.task == task.hash
    assert result.score is not None
    assert 0 < result.score < 0.1
    assert result.rehearsal_score is not None
    assert result.examples == 64
    assert 0 < result.seconds <= 1.1
    assert result.peak_memory_bytes > 0
    assert result.attempts == 1
    assert result.vault_score is None
    stages = result.stage_seconds
    assert list(stages) == ["building", "training", "rehearsing", "scoring"]
    assert all(seconds > 0 for seconds in stages.values())
    assert stages["training"] >= result.seconds


def test_the_vault_is_scored_when_asked_for(sandbox: Sandbox, task: Task, order: Order) -> None:
    """The same trial, with the score of the second sealed split beside it."""
    seen: list[Progress] = []
    result = sandbox.run(replace(order(BETTER), vault=True), seen.append)
    assert result.outcome is Outcome.scored
    assert result.vault_score is not None
    assert 0 < result.vault_score < 0.1
    assert list(result.stage_seconds)[-2:] == ["scoring", "vault"]
    assert (seen[-1].stage, seen[-1].detail) == (Stage.scoring, "vault")


def test_a_crash_has_its_reason_and_log(sandbox: Sandbox, order: Order) -> None:
    """A candidate that raises ends `crash`, without a score, with the error as its reason."""
    result = sandbox.run(order(CRASHES))
    assert result.outcome is Outcome.crash
    assert result.score is None
    assert result.examples == 0
    assert "ValueError: no such luck" in result.reason
    assert "no such luck" in result.log


def test_progress_comes_in_order(sandbox: Sandbox, order: Order) -> None:
    """The stages of a trial are told as they begin, training with its budget."""
    seen: list[Progress] = []
    sandbox.run(order(BETTER), seen.append)
    stages = [progress.stage for progress in seen]
    wanted = [Stage.waiting, Stage.building, Stage.training, Stage.rehearsing, Stage.scoring]
    assert stages == wanted
    assert next(p.seconds for p in seen if p.stage is Stage.training) == 1


def test_a_key_runs_once(sandbox: Sandbox, order: Order) -> None:
    """The same key again returns the stored result, to the bit."""
    request = order(BETTER)
    first = sandbox.run(request)
    assert sandbox.run(request) == first
    assert sandbox.result(request.key) == first


def test_a_key_names_one_candidate(sandbox: Sandbox, order: Order) -> None:
    """A key that has run can't be used for another candidate."""
    request = order(BETTER)
    sandbox.run(request)
    with pytest.raises(BadRequest, match="another candidate"):
        sandbox.run(order(WORSE, request.key))


def test_a_running_key_is_joined(sandbox: Sandbox, order: Order) -> None:
    """A second call with a running trial's key waits for that trial."""
    request = order(WAITS)
    results = []
    thread, raised = start(lambda: results.append(sandbox.run(request)))
    time.sleep(0.3)
    joined = sandbox.run(request)
    thread.join(30)
    assert raised == []
    assert results == [joined]


def test_a_cancelled_trial_leaves_its_key_free(sandbox: Sandbox, order: Order) -> None:
    """`cancel` makes `run` raise `Cancelled`; the key then runs as if never used."""
    request = order(WAITS)
    thread, raised = start(lambda: sandbox.run(request))
    time.sleep(0.4)
    sandbox.cancel(request.key)
    thread.join(30)
    assert [type(fault) for fault in raised] == [Cancelled]
    with pytest.raises(UnknownTrial):
        sandbox.result(request.key)
    assert sandbox.run(request).key == request.key


def test_cancelling_nothing_is_fine(sandbox: Sandbox) -> None:
    """A key that is not running can be cancelled."""
    sandbox.cancel("not-running")


@pytest.mark.parametrize(
    "candidate",
    ["", " \n", "x = 1  # \0", "x" * 70_000, "".join(map(chr, range(0x4E00, 0x4E00 + 9000)))],
    ids=["empty", "blank", "nul", "large", "incompressible"],
)
def test_what_is_no_candidate_is_refused(sandbox: Sandbox, order: Order, candidate: str) -> None:
    """A text that can't be a candidate is refused before anything runs, and its key is free."""
    request = order(candidate)
    with pytest.raises(BadCandidate) as refused:
        sandbox.run(request)
    assert refused.value.next_step
    with pytest.raises(UnknownTrial):
        sandbox.result(request.key)


@pytest.mark.parametrize("key", ["", "../up", "a/b", "-x", "x" * 200, "ключ", "a b"])
def test_a_key_is_a_plain_name(sandbox: Sandbox, order: Order, key: str) -> None:
    """A key becomes the name of a file, so anything but a plain name is refused."""
    request = TrialRequest(key=key, task=order(BETTER).task, candidate=BETTER)
    with pytest.raises(BadRequest):
        sandbox.run(request)


def test_an_unfinished_trial_has_no_result(sandbox: Sandbox) -> None:
    """`result` knows finished trials alone."""
    with pytest.raises(UnknownTrial):
        sandbox.result("never-run")


# ---- comparisons ------------------------------------------------------------------------------


def test_a_comparison_has_difference_and_error(sandbox: Sandbox, order: Order) -> None:
    """The difference is that of the scores; the error comes from the paired examples."""
    first, second = sandbox.run(order(BETTER)), sandbox.run(order(WORSE))
    assert first.score is not None
    assert second.score is not None
    comparison = sandbox.compare([first.key], [second.key])
    assert comparison.difference == pytest.approx(first.score - second.score)
    assert comparison.examples == 64
    back = sandbox.compare([second.key], [first.key])
    assert back.difference == pytest.approx(-comparison.difference)
    assert back.standard_error == pytest.approx(comparison.standard_error)


def test_a_trial_equals_itself(sandbox: Sandbox, order: Order) -> None:
    """Paired with itself, a trial differs by nothing, with certainty."""
    key = sandbox.run(order(BETTER)).key
    comparison = sandbox.compare([key, key], [key])
    assert (comparison.difference, comparison.standard_error) == pytest.approx((0, 0))


def test_only_scored_trials_compare(sandbox: Sandbox, order: Order) -> None:
    """A comparison with a trial that has no score, or with none at all, is refused."""
    scored, crashed = sandbox.run(order(BETTER)).key, sandbox.run(order(CRASHES)).key
    with pytest.raises(BadRequest):
        sandbox.compare([scored], [crashed])
    with pytest.raises(BadRequest):
        sandbox.compare([scored], [])
    with pytest.raises(UnknownTrial):
        sandbox.compare([scored], ["never-run"])


# ---- fingerprints ------------------------------------------------------------------------------


def test_comments_and_layout_change_no_fingerprint(sandbox: Sandbox) -> None:
    """It is 64 hexadecimal digits, and those of another program are others."""
    first = sandbox.fingerprint(BETTER)
    assert len(bytes.fromhex(first)) == 32
    for same in (
        f"# A remark.\n\n{BETTER}\n\n",
        BETTER.replace("SCALE = 1.0", "SCALE = 1.0  # wide"),
        BETTER.replace("\n", "   \n"),
    ):
        assert same != BETTER
        assert sandbox.fingerprint(same) == first
    assert sandbox.fingerprint(BETTER.replace("SCALE = 1.0", "SCALE = 1.5")) != first


def test_what_is_no_python_has_the_fingerprint_of_its_bytes(sandbox: Sandbox) -> None:
    """Always the same one, and no error: that it is none, its trial will tell."""
    first = sandbox.fingerprint("def train(:\n")
    assert sandbox.fingerprint("def train(:\n") == first
    assert sandbox.fingerprint("def load(:\n") != first


@pytest.mark.parametrize(
    "candidate", ["", "x = 1  # \0", "x" * 70_000], ids=["empty", "nul", "large"]
)
def test_what_is_no_candidate_has_no_fingerprint(sandbox: Sandbox, candidate: str) -> None:
    """It is refused as for a trial."""
    with pytest.raises(BadCandidate):
        sandbox.fingerprint(candidate)


# ---- held out ----------------------------------------------------------------------------------


def test_a_survey_finds_nothing_in_a_task_that_holds_out(sandbox: Sandbox, task: Task) -> None:
    """Of the splits and of the agent image, each with its own finding."""
    found = {check.name: check for check in sandbox.survey(task.hash)}
    assert list(found) == ["duplicates", "agent_image"]
    for check in found.values():
        assert check.verdict in (Verdict.passed, Verdict.not_applicable)
        assert check.detail
        assert not check.next_step
    with pytest.raises(UnknownTask):
        sandbox.survey("0" * 64)


# ---- the house --------------------------------------------------------------------------------


def test_the_doctors_findings_are_of_two_classes(sandbox: Sandbox) -> None:
    """A measured one passes or fails, an advisory one warns at most and has a name to accept.

    Where these tests run, no promise of the policy is broken.
    """
    checks = sandbox.doctor()
    assert checks
    assert [check for check in checks if check.verdict is Verdict.failed] == []
    assert len({check.name for check in checks}) == len(checks)
    for check in checks:
        assert check.detail
        if check.measured:
            assert check.verdict is not Verdict.warning
            assert check.name not in set(Advisory)
        else:
            assert check.verdict is not Verdict.failed
            assert check.name in set(Advisory)
        asks = check.verdict in (Verdict.warning, Verdict.failed)
        assert bool(check.next_step) is asks


def test_the_reaper_leaves_data_alone(sandbox: Sandbox, task: Task, order: Order) -> None:
    """After reaping, a prepared task still runs."""
    sandbox.reap()
    assert sandbox.verify(task.hash) == task
    assert sandbox.run(order(BETTER)).outcome is Outcome.scored


def test_info_says_what_stands_behind(sandbox: Sandbox) -> None:
    """`info` names instance, engine and size."""
    info = sandbox.info()
    assert info.instance
    assert info.cpus >= 1
    assert info.memory_bytes > 0
