"""The command line, with a fake sandbox behind it: reading verbs, trials and tasks."""

import json
from pathlib import Path

import pytest

from controller.runs import claimed
from sandbox.api import Check, Verdict
from sandbox.fake.sandbox import FakeSandbox
from tests.unit.command import Sealed, document, experiments, replayed, write
from tests.unit.toy import TRAIN

# ---- reading verbs ------------------------------------------------------------------------------


def test_experiments_as_json(sealed: Sealed) -> None:
    """A list as items, each with what a program needs; the bare noun lists too."""
    sealed("run", "toy", "--experiments", "3")
    listed = document(sealed("experiment", "list", "--json"))
    assert list(listed) == ["items"]
    assert [item["number"] for item in listed["items"]] == [0, 1, 2, 3]
    needed = {"number", "hypothesis", "outcome", "decision", "score", "seconds"}
    assert all(needed <= set(item) for item in listed["items"])
    assert document(sealed("experiment", "--json")) == listed
    assert document(sealed("experiment", "list", "toy-1", "--json")) == listed


def test_experiments_as_a_table(sealed: Sealed) -> None:
    """Text of a model is shown as it is, not taken for markup, and on one line."""
    replayed(sealed, '"""[red]x[/red] \x1b[31m"""\n# fake: score=0.5\n')
    out = sealed("experiment", "list", "run").output
    assert "[red]x[/red] \ufffd[31m" in out
    assert len(out.splitlines()) == 3


def test_one_experiment(sealed: Sealed) -> None:
    """By run and number, by number alone, or the last one; one that is not there is not found."""
    replayed(sealed, '"""Wider."""\n# fake: score=0.5 log="one line"\n', "# fake: outcome=crash\n")
    out = sealed("experiment", "show", "run", "1").output
    assert "Wider." in out
    assert "kept: The gain of" in out
    assert document(sealed("experiment", "show", "1", "--json"))["hypothesis"] == "Wider."
    assert document(sealed("experiment", "show", "--json"))["outcome"] == "crash"
    assert sealed("experiment", "logs", "run", "1").output == "one line\n"
    assert document(sealed("experiment", "logs", "1", "--json"))["log"] == "one line"
    assert "no experiment 9" in sealed("experiment", "show", "9", code=4).output


def test_a_diff_is_to_the_champion_of_the_time(sealed: Sealed) -> None:
    """Unified, with the numbers of both experiments."""
    sealed("run", "toy", "--experiments", "2")
    out = sealed("experiment", "diff", "toy-1", "2").output
    assert "--- train.py of experiment 1\n+++ train.py of experiment 2\n" in out
    assert "-LEARNING_RATE = 0.006" in out
    found = document(sealed("experiment", "diff", "2", "--json"))
    assert (found["number"], found["parent"]) == (2, 1)
    assert sealed("experiment", "diff", "0").output.count("\n+") == TRAIN.count("\n") + 1


def test_results_tsv_is_the_ledger(sealed: Sealed) -> None:
    """The original's columns, a row for each experiment, no cell with a tab or a line break."""
    replayed(
        sealed,
        '"""a\tb"""\n# fake: score=0.5 memory=3221225472\n',
        "# fake: score=9 memory=1\n",
        "# fake: outcome=timeout memory=5000000000\n",
        "# fake: score=nan\n",
    )
    lines = [line.split("\t") for line in sealed("export", "run").stdout.splitlines()]
    assert lines[0] == ["commit", "val_bpb", "memory_gb", "status", "description"]
    found = experiments("run")
    assert [line[0] for line in lines[1:]] == [str(e.commit_id)[:7] for e in found]
    assert [line[1:] for line in lines[2:]] == [
        ["0.500000", "3.0", "keep", "a b"],
        ["9.000000", "0.0", "discard", "1"],
        ["0.000000", "0.0", "crash", "2"],
        ["0.000000", "0.0", "crash", "3"],
    ]
    assert float(lines[1][1]) == pytest.approx(found[0].score, abs=1e-6)


def test_json_lines_have_all(sealed: Sealed) -> None:
    """One experiment a line, unrounded; what is no number is null."""
    sealed("run", "toy", "--name", "run", "--experiments", "2")
    lines = sealed("export", "--format", "jsonl").stdout.splitlines()
    assert [json.loads(line)["score"] for line in lines] == [e.score for e in experiments("run")]


def test_status_of_a_run(sealed: Sealed) -> None:
    """Best, champion, counts and outcomes, why it halted, and how long it took."""
    replayed(sealed, "# fake: score=0.5\n", "# fake: outcome=crash\n", "")
    found = document(sealed("status", "run", "--json"))
    assert found["run"] == "run"
    assert (found["best"], found["champion"], found["kept"]) == (0.5, 1, 1)
    assert (found["experiments"], found["refused"]) == (2, 1)
    assert found["outcomes"] == {"crash": 1, "scored": 1}
    assert (found["halt"], found["driven"]) == ("exhausted", False)
    assert found["seconds"] >= 0
    out = sealed("status").output
    assert "halted (exhausted): replay has no more candidates." in out
    assert "0.5 bits (minimize), experiment 1" in out
    assert "2: 1 kept; 1 crash, 1 scored" in out
    assert "1 proposals, the last: The candidate is empty." in out


def test_status_of_a_run_at_work(sealed: Sealed) -> None:
    """A second process may look while the first drives."""
    sealed("run", "toy", "--experiments", "1")
    with claimed("toy", "toy-1"):
        assert document(sealed("status", "--json"))["driven"]
        assert "at work" in sealed("status").output


# ---- trials, tasks, doctor ----------------------------------------------------------------------


def test_try_tells_what_a_candidate_came_to(sealed: Sealed) -> None:
    """Outcome, score, rehearsal score, seconds and a lower bound of the memory; nothing is kept."""
    file = write("# fake: score=1.5 rehearsal=1.25 seconds=0.5 memory=2097152\n")
    out = sealed("try", "toy", file).output
    for line in (
        "outcome:         scored",
        "score:           1.5 bits",
        "rehearsal score: 1.25 bits",
        "training:        0.5 s",
        "peak memory:     at least 2 MiB",
    ):
        assert line in out
    assert not Path("runs").exists()


def test_try_as_json_is_a_document_alone(sealed: Sealed) -> None:
    """No other line is on stdout."""
    found = document(sealed("try", "toy", write("# fake: score=1.5\n"), "--json"))
    assert (found["outcome"], found["score"], found["reason"]) == ("scored", 1.5, "")
    assert {"rehearsal_score", "seconds", "peak_memory_bytes"} <= set(found)


def test_try_fails_with_the_candidate(sealed: Sealed) -> None:
    """Exit code 1 with reason and end of the log, terminal escapes made harmless."""
    file = write('# fake: outcome=crash reason="ValueError: no" log="epoch\x1b[2J"\n')
    out = sealed("try", "toy", file, code=1).output
    assert "ValueError: no" in out
    assert "epoch\ufffd[2J" in out


@pytest.mark.parametrize(
    ("data", "message"), [(b"\xff", "not UTF-8"), (b"#" * 70_000, "70000 bytes"), (b"", "empty")]
)
def test_try_refuses_what_is_no_candidate(sealed: Sealed, data: bytes, message: str) -> None:
    """Exit code 2."""
    Path("bad.py").write_bytes(data)
    assert message in sealed("try", "toy", "bad.py", code=2).output


def test_try_runs_each_time(sealed: Sealed, fake_sandbox: FakeSandbox) -> None:
    """The same candidate again is another trial."""
    file = write("# fake: score=1\n")
    sealed("try", "toy", file)
    sealed("try", "toy", file)
    assert len(set(fake_sandbox.executed)) == 2


def test_tasks_are_prepared_and_listed(sealed: Sealed) -> None:
    """The bare noun lists; `forget` takes the start of a hash."""
    assert "No task is prepared yet" in sealed("task").output
    assert document(sealed("task", "list", "--json")) == {"items": []}
    assert "toy is prepared" in sealed("task", "prepare", "toy").output
    (item,) = document(sealed("task", "--json"))["items"]
    assert (item["name"], item["settings"]["metric"]) == ("toy", "bits")
    assert item["hash"][:12] in sealed("task", "list").output
    sealed("task", "forget", item["hash"][:8])
    assert document(sealed("task", "--json")) == {"items": []}


def test_a_task_is_checked(sealed: Sealed, fake_sandbox: FakeSandbox) -> None:
    """Prepared, its data hashed, its baseline and what knows nothing tried, the findings told."""
    found = document(sealed("task", "check", "toy", "--json"))["items"]
    verdicts = {item["name"]: item["verdict"] for item in found}
    assert (verdicts["baseline"], verdicts["direction"]) == ("PASS", "PASS")
    score = fake_sandbox.result(fake_sandbox.executed[0]).score
    out = sealed("task", "check", "toy").output
    assert f"{score:.6g} bits over 64 held-out examples" in out
    assert "toy, trial 10 of 10" in out


def test_a_task_that_rewards_knowing_nothing_fails_its_check(sealed: Sealed) -> None:
    """Exit code 1, with the advice to turn the goal round."""
    program = Path("tasks/toy/program.md")
    program.write_text(program.read_text().replace("minimize", "maximize"))
    assert "Turn `goal` round" in sealed("task", "check", "toy", code=1).output


def test_try_scores_the_vault_when_asked(sealed: Sealed) -> None:
    """Only then is there a line of it."""
    file = write("# fake: score=1.5\n")
    assert "vault" not in sealed("try", "toy", file).output
    assert "vault score:     1.5 bits" in sealed("try", "toy", file, "--vault").output


def test_a_task_whose_data_was_altered_is_not_fit_for_a_trial(
    sealed: Sealed, fake_sandbox: FakeSandbox
) -> None:
    """Exit code 3, from `run` and from `task check`."""
    sealed("task", "prepare", "toy")
    fake_sandbox.alter(fake_sandbox.tasks()[0].hash)
    for verb in (["run", "toy"], ["task", "check", "toy"]):
        assert "was altered" in sealed(*verb, code=3).output


def test_a_failed_finding_is_an_exit_code(
    sealed: Sealed, fake_sandbox: FakeSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`doctor` ends with 3 when a promise is broken, and says the next step."""
    assert document(sealed("doctor", "--json"))["items"][0]["verdict"] == "N/A"
    broken = Check(
        name="network",
        verdict=Verdict.failed,
        measured=True,
        detail="It has one.",
        next_step="Look.",
    )
    monkeypatch.setattr(fake_sandbox, "doctor", lambda: [broken])
    out = sealed("doctor", code=3).output
    assert "FAIL     network  It has one.\n                  next: Look." in out


def test_a_diff_of_very_long_texts_is_not_made(sealed: Sealed) -> None:
    """Comparing them could take minutes, and who proposes chooses the lines."""
    replayed(sealed, "# fake: score=0.5\n" + "x\n" * 3001)
    assert "Not compared: a text has over 3000 lines" in sealed("experiment", "diff", "1").output
    assert document(sealed("experiment", "diff", "1", "--json"))["diff"] is None
