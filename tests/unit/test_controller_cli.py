"""The command line, with a fake sandbox behind it."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from controller.cli import app
from controller.cli.exits import _CODES
from controller.errors import ControllerError
from controller.ledger import Experiment
from controller.runs import claimed
from sandbox import errors
from sandbox.api import Check, Verdict
from sandbox.fake import FakeSandbox
from tests.unit.toy import PREPARE, PROGRAM, TRAIN, fake, ledger_of

Sealed = Callable[..., Result]


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> FakeSandbox:
    """What every verb talks to."""
    found = fake()

    @contextmanager
    def connect() -> Iterator[FakeSandbox]:
        yield found

    monkeypatch.setattr("sandbox.client.connect", connect)
    return found


@pytest.fixture
def sealed(sandbox: FakeSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sealed:
    """Runs a command in a folder that has the task `tasks/toy`."""
    task = tmp_path / "tasks" / "toy"
    task.mkdir(parents=True)
    for name, text in (("program.md", PROGRAM), ("train.py", TRAIN), ("prepare.py", PREPARE)):
        (task / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEALED_RUNS", str(tmp_path / "runs"))
    monkeypatch.delenv("SEALED_DEBUG", raising=False)

    def run(*arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        assert "\r" not in result.output
        return result

    return run


def write(candidate: str, name: str = "candidate.py") -> str:
    """A candidate's file in the working directory."""
    Path(name).write_text(candidate)
    return name


def replayed(sealed: Sealed, *files: str) -> None:
    """A run `run` of these candidates, in this order."""
    folder = Path("candidates")
    folder.mkdir()
    for number, text in enumerate(files):
        (folder / f"{number}.py").write_text(text)
    sealed("run", "toy", "--name", "run", "--agent", "replay", "--from", "candidates")


def document(result: Result) -> Any:
    """The JSON that a verb printed, alone on stdout."""
    return json.loads(result.stdout)


def experiments(name: str) -> list[Experiment]:
    """As the ledger has them."""
    with ledger_of(name) as ledger:
        return ledger.experiments()


# ---- run ----------------------------------------------------------------------------------------


def test_a_run_from_start_to_halt(sealed: Sealed) -> None:
    """A line for each experiment, the reason to halt, the best, and where to look."""
    out = sealed("run", "tasks/toy", "--experiments", "4").output
    assert "run toy-1 begins" in out
    assert "    0  baseline   " in out
    assert "    1  kept       " in out
    assert "    4  discarded  " in out
    assert "halted: 4 experiments are done." in out
    assert "best: " in out
    assert "by experiment 3" in out
    assert "log -p main" in out


def test_a_named_run_goes_on(sealed: Sealed, sandbox: FakeSandbox) -> None:
    """Without a limit it keeps the one it has; with a larger one it does what is missing."""
    sealed("run", "toy", "--name", "night", "--experiments", "2")
    assert "run night goes on" in sealed("run", "toy", "--name", "night").output
    sealed("run", "toy", "--name", "night", "--experiments", "5")
    assert len(experiments("night")) == 6
    assert len(sandbox.executed) == 6


def test_each_unnamed_run_is_new(sealed: Sealed) -> None:
    """The next free number."""
    for name in ("toy-1", "toy-2"):
        assert f"run {name} begins" in sealed("run", "toy", "--experiments", "0").output


def test_a_run_keeps_its_task_and_its_agent(sealed: Sealed) -> None:
    """Another train.py, or another agent, under the same name is refused with the way out."""
    sealed("run", "toy", "--name", "night", "--experiments", "1")
    out = sealed("run", "toy", "--name", "night", "--agent", "replay", "--from", ".", code=2)
    assert "began with the agent search" in out.output
    Path("tasks/toy/train.py").write_text(TRAIN + "# changed\n")
    out = sealed("run", "toy", "--name", "night", code=2)
    assert "began with other files" in out.output
    assert "Give another --name" in out.output


def test_a_run_that_is_driven_is_busy(sealed: Sealed) -> None:
    """Exit code 5, before anything else is done."""
    with claimed("toy", "night"):
        out = sealed("run", "toy", "--name", "night", code=5)
    assert "Another process drives the run night" in out.output


def test_an_interrupt_ends_it_cleanly(
    sealed: Sealed, sandbox: FakeSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 130, how to go on, and a state from which it does."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sandbox, "run", interrupted)
        out = sealed("run", "toy", "--experiments", "1", code=130)
    assert "`sealed run toy --name toy-1` goes on from here." in out.output
    assert document(sealed("status", "--json"))["halt"] == "interrupted"
    sealed("run", "toy", "--name", "toy-1")
    assert document(sealed("status", "--json"))["experiments"] == 1


def test_a_baseline_that_fails_is_one_clear_error(sealed: Sealed) -> None:
    """The sandbox says so when it prepares the task."""
    Path("tasks/toy/train.py").write_text(TRAIN + "# fake: outcome=crash\n")
    assert "train.py ends `crash`" in sealed("run", "toy", code=2).output


def test_a_run_whose_baseline_has_no_score_fails(
    sealed: Sealed, sandbox: FakeSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 1, and where to look."""
    monkeypatch.setattr(sandbox, "_landscape", lambda _: float("nan"))
    out = sealed("run", "toy", code=1)
    assert "has no score" in out.output
    assert "sealed experiment logs toy-1" in out.output


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run"], 2, "Missing argument"),
        (["run", "digits"], 4, "No task folder is at digits"),
        (["run", "toy", "--agent", "llm"], 2, "llm"),
        (["run", "toy", "--agent", "replay"], 2, "needs candidates"),
        (["run", "toy", "--from", "."], 2, "takes no candidates"),
        (["run", "toy", "--agent", "replay", "--from", "nowhere"], 4, "No run is named nowhere"),
        (["run", "toy", "--experiments", "-1"], 2, "greater than or equal to 0"),
        (["run", "toy", "--hours", "nan"], 2, "greater than or equal to 0"),
        (["run", "toy", "--name", "../x"], 2, "no name for a run"),
        (["try", "toy", "absent.py"], 4, "No file is at absent.py"),
        (["status"], 4, "No run is in"),
        (["status", "absent"], 4, "No run is named absent"),
        (["export", "absent"], 4, "No run is named absent"),
        (["experiment", "show", "absent", "1"], 4, "No run is named absent"),
        (["task", "forget", "abc"], 4, "No task abc"),
        (["dream"], 2, "dream"),
    ],
)
def test_bad_input_gets_one_clear_error(
    sealed: Sealed, arguments: list[str], code: int, message: str
) -> None:
    """With an exit code that tells the kinds apart."""
    assert message in sealed(*arguments, code=code).output


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("speed: 3", "can't be used"),
        ("cpus: 0", "cpus is 0"),
        ("goal: better", "can't be used"),
        ("budget_seconds: .nan", "budget_seconds"),
    ],
)
def test_unknown_and_impossible_settings_are_named(sealed: Sealed, line: str, message: str) -> None:
    """What the sandbox refuses is passed on with its next step."""
    name = line.split(":", maxsplit=1)[0]
    kept = [old for old in PROGRAM.splitlines() if not old.startswith(name)]
    kept.insert(1, line)
    Path("tasks/toy/program.md").write_text("\n".join(kept))
    out = sealed("run", "toy", code=2).output
    assert message in out
    assert "next: " in out


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


def test_try_runs_each_time(sealed: Sealed, sandbox: FakeSandbox) -> None:
    """The same candidate again is another trial."""
    file = write("# fake: score=1\n")
    sealed("try", "toy", file)
    sealed("try", "toy", file)
    assert len(set(sandbox.executed)) == 2


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


def test_a_task_is_checked(sealed: Sealed, sandbox: FakeSandbox) -> None:
    """Prepared, its data hashed, its baseline run once, and the findings told."""
    found = document(sealed("task", "check", "toy", "--json"))["items"]
    assert {item["name"]: item["verdict"] for item in found}["baseline"] == "PASS"
    score = sandbox.result(sandbox.executed[0]).score
    assert f"{score:.6g} bits over 64 held-out examples" in sealed("task", "check", "toy").output


def test_a_task_whose_data_was_altered_is_not_fit_for_a_trial(
    sealed: Sealed, sandbox: FakeSandbox
) -> None:
    """Exit code 3, from `run` and from `task check`."""
    sealed("task", "prepare", "toy")
    sandbox.alter(sandbox.tasks()[0].hash)
    for verb in (["run", "toy"], ["task", "check", "toy"]):
        assert "was altered" in sealed(*verb, code=3).output


def test_a_failed_finding_is_an_exit_code(
    sealed: Sealed, sandbox: FakeSandbox, monkeypatch: pytest.MonkeyPatch
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
    monkeypatch.setattr(sandbox, "doctor", lambda: [broken])
    out = sealed("doctor", code=3).output
    assert "network  FAIL     It has one. Look." in out


# ---- errors -------------------------------------------------------------------------------------


def test_every_error_has_an_exit_code() -> None:
    """A new kind of error has to be given one."""
    kinds = {*errors.KINDS.values(), *ControllerError.__subclasses__()}
    assert set(_CODES) == kinds


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("engine_unavailable", 3),
        ("no_space", 3),
        ("runtime_missing", 3),
        ("too_few_resources", 3),
        ("image_unfit", 3),
        ("cancelled", 130),
        ("internal", 1),
    ],
)
def test_errors_of_the_sandbox_become_exit_codes(
    sealed: Sealed,
    sandbox: FakeSandbox,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    code: int,
) -> None:
    """What is wrong and what to do, each in its line on stderr."""

    def refuse() -> list[Check]:
        raise errors.from_kind(kind, "It is \x1b[31mso.", "Do this.")

    monkeypatch.setattr(sandbox, "doctor", refuse)
    result = sealed("doctor", code=code)
    assert result.stderr == "error: It is \ufffd[31mso.\nnext: Do this.\n"
    assert result.stdout == ""


@pytest.mark.parametrize("fault", [OSError("disk full"), sqlite3.OperationalError("disk full")])
def test_a_full_disk_is_no_traceback(
    sealed: Sealed, sandbox: FakeSandbox, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    """Faults of files become one line, unless SEALED_DEBUG asks for more."""

    def refuse() -> list[Check]:
        raise fault

    monkeypatch.setattr(sandbox, "doctor", refuse)
    assert "disk full" in sealed("doctor", code=1).output
    monkeypatch.setenv("SEALED_DEBUG", "1")
    assert CliRunner().invoke(app, ["doctor"]).exception is fault


def test_help_is_help(sealed: Sealed) -> None:
    """Every verb of the product is named in it."""
    out = sealed("--help").output
    for verb in ("run", "try", "status", "experiment", "export", "task", "doctor"):
        assert f"  {verb} " in out
