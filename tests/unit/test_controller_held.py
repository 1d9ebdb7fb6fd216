"""A run that a person pauses, resumes or stops, or that comes to a limit: with a fake sandbox."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from controller import run as run_module
from controller.halting import FREE_BYTES
from controller.ledger import Experiment, Halt, RunLimits, State, Wanted
from controller.runs import find_run, want
from sandbox.api import Keep, OnProgress, Progress, Stage, TrialRequest, TrialResult
from sandbox.errors import NoSpace
from tests.unit.toy import Scripted, Watched, candidates, drive, fake, ledger_of, opened


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of a test are its own."""
    monkeypatch.setenv("SEALED_RUNS", str(tmp_path / "runs"))


class Acting(Watched):
    """A watcher that does something at a stage of an experiment, as another process would."""

    def __init__(self, number: int, stage: Stage, act: Callable[[], object]) -> None:
        super().__init__()
        self._when, self._act = (number, stage), act

    def progress(self, progress: Progress) -> None:
        super().progress(progress)
        if (self.begun_numbers[-1], progress.stage) == self._when:
            self._act()


def wanting(wanted: Wanted) -> Callable[[], None]:
    """Says so from another thread, with a ledger of its own."""

    def act() -> None:
        thread = threading.Thread(target=want, args=(find_run("run"), wanted))
        thread.start()
        thread.join()

    return act


def test_a_pause_lets_the_experiment_end() -> None:
    """It is decided and recorded; nothing is proposed after it until the run is resumed."""
    sandbox = fake()
    watched = Acting(1, Stage.training, wanting(Wanted.paused))
    with opened(sandbox, most_experiments=3) as run:
        assert drive(run, sandbox, watched=watched).halt is Halt.paused
        assert watched.recorded_numbers == [0, 1]
        assert drive(run, sandbox).halt is Halt.paused
        want(run.folder, Wanted.running)
        assert drive(run, sandbox).halt is Halt.experiments
    assert len(sandbox.executed) == 4


def test_a_stop_cancels_the_trial_at_hand() -> None:
    """At once, though it would train for a minute; resumed, the same experiment begins anew."""
    sandbox = fake()
    agent = Scripted(*candidates("wait=60 score=0.5"))
    watched = Acting(1, Stage.training, wanting(Wanted.stopped))
    with opened(sandbox) as run:
        started = time.monotonic()
        end = drive(run, sandbox, agent, watched)
        assert time.monotonic() - started < 30
        assert (end.halt, end.detail) == (Halt.stopped, "A person stopped it.")
        unfinished = run.ledger.unfinished()
        assert unfinished is not None
        assert (unfinished.number, unfinished.state) == (1, State.running)
        assert run.ledger.now() is None
    assert sandbox.executed == [run.trial_key(0)]


def test_a_held_run_starts_no_trial() -> None:
    """Stopped or paused before it begins, not even the baseline is run."""
    sandbox = fake()
    with opened(sandbox) as run:
        want(run.folder, Wanted.stopped)
        assert drive(run, sandbox).halt is Halt.stopped
    assert sandbox.executed == []


def test_the_stage_is_there_to_be_read_while_it_lasts() -> None:
    """With the seconds that it lasts at most; between experiments there is none."""
    sandbox, seen = fake(), []

    def look() -> None:
        with ledger_of() as ledger:
            seen.append(ledger.now())

    with opened(sandbox, most_experiments=1) as run:
        drive(run, sandbox, watched=Acting(1, Stage.training, look))
        assert run.ledger.now() is None
    (now,) = seen
    assert now is not None
    assert (now.experiment, now.stage, now.seconds) == (1, Stage.training, 2.0)
    assert now.since.endswith("Z")


def test_a_plateau_halts() -> None:
    """Experiments without a gain are counted since the last one that was kept."""
    sandbox = fake()
    agent = Scripted(*candidates(2.0, 0.5, 3.0, 3.1, 3.2, 3.3))
    with opened(sandbox, plateau=3) as run:
        end = drive(run, sandbox, agent)
        assert (end.halt, run.ledger.tally().experiments) == (Halt.plateau, 5)
        assert end.detail == "None of the last 3 experiments was kept."
        run.limit(RunLimits(plateau=4))
        assert drive(run, sandbox, agent).halt is Halt.plateau
        assert run.ledger.tally().experiments == 6


def test_too_little_space_halts_before_a_proposal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is half written; with space again, the run goes on."""
    sandbox = fake()
    with opened(sandbox, most_experiments=2) as run:
        with monkeypatch.context() as patch:
            patch.setattr(run_module.Run, "free_bytes", lambda _: FREE_BYTES - 1)
            end = drive(run, sandbox)
        assert end.halt is Halt.disk
        assert "MiB are free" in end.detail
        assert drive(run, sandbox).halt is Halt.experiments


def test_a_sandbox_without_space_halts(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the sandbox's own words; the experiment stays where it is."""
    sandbox, run_trial = fake(), None
    run_trial = sandbox.run

    def full(request: TrialRequest, on_progress: OnProgress) -> TrialResult:
        raise NoSpace("Only 3 MiB are free.", "Free some.")

    with opened(sandbox, most_experiments=1) as run:
        monkeypatch.setattr(sandbox, "run", full)
        end = drive(run, sandbox)
        assert (end.halt, end.detail) == (Halt.disk, "Only 3 MiB are free. Free some.")
        monkeypatch.setattr(sandbox, "run", run_trial)
        assert drive(run, sandbox).halt is Halt.experiments


def test_a_ledger_of_the_first_version_is_read_and_written() -> None:
    """What later migrations add has its defaults."""
    sandbox = fake()
    with opened(sandbox, most_experiments=1) as run:
        drive(run, sandbox)
        path = run.folder / "ledger.sqlite"
    import sqlite3

    with sqlite3.connect(path) as db:
        added = [f"DROP COLUMN {name}" for name in ("control", *RunLimits.__struct_fields__[3:])]
        db.executescript(
            "DROP TABLE calls; DROP TABLE models; DROP TABLE receipts;"
            + "".join(f"ALTER TABLE run {column};" for column in added)
            + "DROP TABLE accepted; DROP INDEX kept_experiments; DROP INDEX trial_outcomes;"
            "DROP INDEX trials_without_error; DROP INDEX refusals_by_experiment;"
            "DROP INDEX trials_of_experiment;"
            "DROP TABLE control; DROP TABLE now; ALTER TABLE run DROP COLUMN plateau;"
            "ALTER TABLE run DROP COLUMN dockerfile;"
            "ALTER TABLE run DROP COLUMN scorer_dockerfile; ALTER TABLE run DROP COLUMN salt;"
            "DROP VIEW telling; DROP VIEW dethroned; DROP TABLE looks; DROP INDEX trials_asked_by;"
            "DROP INDEX experiments_by_fingerprint; DROP INDEX experiments_by_agent;"
            "DROP INDEX experiment_commits;"
            "ALTER TABLE trials DROP COLUMN asked_by; ALTER TABLE trials DROP COLUMN vault_score;"
            "ALTER TABLE experiments DROP COLUMN low; ALTER TABLE experiments DROP COLUMN high;"
            "UPDATE run SET settings = json_remove(settings, '$.keep');"
            "ALTER TABLE experiments DROP COLUMN fingerprint;"
            "PRAGMA user_version = 1;"
        )
    with ledger_of() as ledger:
        row = ledger.run()
        assert row is not None
        assert row.limits == RunLimits(most_experiments=1)
        assert len(row.salt) == 32, "it has one of its own"
        assert row.settings.keep is Keep.margin, "there was no other rule"
        assert {trial.asked_by for trial in ledger.trials(1)} == {1}
        assert ledger.wanted() is Wanted.running
        assert ledger.accepted() == []
        assert [type(e) for e in ledger.experiments()] == [Experiment, Experiment]
