"""What happened in a run, in SQLite: the truth that repository and exports are made from.

WAL with `synchronous=FULL`: a change that returned survives a power cut. Every change of an
experiment's state is one transaction that demands the state before it, so a change can neither be
skipped nor made twice.
"""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import msgspec

from controller.decision import Judgement
from controller.errors import Failed, NotFound
from controller.ledger.rows import (
    Accepted,
    Experiment,
    Halt,
    NewRun,
    Now,
    Refusal,
    RunLimits,
    RunRow,
    Session,
    State,
    Tally,
    TrialRecord,
    Wanted,
)
from controller.ledger.sql import MIGRATIONS, QUERIES, statements
from sandbox.api import Check, Outcome, Progress, TaskSettings, TrialResult

__all__ = [
    "Accepted",
    "Experiment",
    "Halt",
    "Ledger",
    "NewRun",
    "Now",
    "Refusal",
    "RunLimits",
    "RunRow",
    "Session",
    "State",
    "Tally",
    "TrialRecord",
    "Wanted",
    "candidate_hash",
]

_WAIT_SECONDS = 30.0
"""How long a write waits for another process; nobody holds the ledger for long."""


def candidate_hash(candidate: str) -> str:
    """SHA-256 of a candidate's UTF-8, in hexadecimal."""
    return hashlib.sha256(candidate.encode()).hexdigest()


class Ledger:
    """One run's database. Readers may have it open while another process drives the run."""

    def __init__(self, path: Path, *, writing: bool) -> None:
        """Open the ledger; for writing, make or migrate it. Raises `Failed`, `sqlite3.Error`."""
        # A reader too must be able to write: it may be the first to open what a kill left behind,
        # and SQLite then has to recover the log. `query_only` keeps it from anything else.
        mode = "rwc" if writing else "rw"
        self._session: int | None = None
        self._db = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,
            timeout=_WAIT_SECONDS,
        )
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA foreign_keys = ON")
        if writing:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._migrate(path)
        else:
            if self._version():
                self._migrate(path)
            self._db.execute("PRAGMA query_only = ON")

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- reading --------------------------------------------------------------------------------

    def run(self) -> RunRow | None:
        """The run, or None while it is not created."""
        row = self._one("run") if self._version() else None
        if row is None:
            return None
        row["settings"] = msgspec.json.decode(row["settings"], type=TaskSettings)
        row["limits"] = RunLimits(**{name: row.pop(name) for name in RunLimits.__struct_fields__})
        return msgspec.convert(row, RunRow)

    def experiments(self, *, after: int = -1) -> list[Experiment]:
        """The experiments after a number, the unfinished one included; by default all."""
        return [
            msgspec.convert(row, Experiment)
            for row in self._all("experiments", number=None, unfinished=None, after=after)
        ]

    def experiment(self, number: int) -> Experiment:
        """Raises `NotFound`."""
        row = self._one("experiments", number=number, unfinished=None, after=-1)
        if row is None:
            raise NotFound(f"This run has no experiment {number}.", "`sealed experiment list`.")
        return msgspec.convert(row, Experiment)

    def unfinished(self) -> Experiment | None:
        """The experiment that is not recorded yet; there is at most one."""
        row = self._one("experiments", number=None, unfinished=True, after=-1)
        return None if row is None else msgspec.convert(row, Experiment)

    def champion(self) -> Experiment | None:
        """The best kept candidate's experiment; None before the baseline has a score."""
        row = self._one("champion")
        return None if row is None or row["number"] is None else self.experiment(row["number"])

    def candidate(self, number: int) -> str:
        """The text of an experiment's candidate."""
        return self.candidates(number)[number]

    def candidates(self, number: int | None = None) -> dict[int, str]:
        """Candidates' texts by experiment."""
        return {row["number"]: row["candidate"] for row in self._all("candidates", number=number)}

    def log(self, number: int, letters: int) -> str:
        """The last `letters` characters of the log of an experiment's trial."""
        row = self._one("log", letters=letters, number=number)
        return "" if row is None else str(row["log"])

    def number_of(self, candidate: str) -> int | None:
        """The experiment that has exactly this text."""
        row = self._one("number_of_candidate", candidate_hash=candidate_hash(candidate))
        return None if row is None else row["number"]

    def refusals(self) -> list[Refusal]:
        return [msgspec.convert(row, Refusal) for row in self._all("refusals")]

    def sessions(self) -> list[Session]:
        return [msgspec.convert(row, Session) for row in self._all("sessions")]

    def accepted(self) -> list[Accepted]:
        """Findings of the doctor that a person ran in spite of."""
        return [msgspec.convert(row, Accepted) for row in self._all("accepted")]

    def wanted(self) -> Wanted:
        """What a person wants of the run."""
        row = self._one("wanted")
        return Wanted.running if row is None else Wanted(row["wanted"])

    def wanted_at(self) -> str:
        """When a person last said so; empty: never."""
        row = self._one("wanted")
        return "" if row is None else str(row["wanted_at"])

    def now(self) -> Now | None:
        """What the process that drives the run is doing; after a kill, what it was doing."""
        row = self._one("now")
        return None if row is None else msgspec.convert(row, Now)

    def receipts(self) -> list[str]:
        """The sandbox's receipts of this run that are stored, in their order."""
        return [row["line"] for row in self._all("receipts")]

    def count_receipts(self) -> int:
        row = self._one("count_receipts")
        return 0 if row is None else int(row["count"])

    def trial_records(self) -> list[TrialRecord]:
        """All trials in full, by experiment and number."""
        return [msgspec.convert(row, TrialRecord) for row in self._all("trial_records")]

    def kept_trials(self) -> list[str]:
        """Keys of the trials of all kept candidates."""
        return [row["key"] for row in self._all("kept_trials")]

    def tally(self) -> Tally:
        return msgspec.convert(self._one("tally"), Tally)

    def outcomes(self) -> dict[Outcome, int]:
        """How many experiments after the baseline ended in which way."""
        return {Outcome(row["outcome"]): row["count"] for row in self._all("outcomes")}

    # ---- writing --------------------------------------------------------------------------------

    def create_run(self, run: NewRun, train: str) -> None:
        """Store the run and propose its baseline, the task's own train.py."""
        with self._change():
            fields = msgspec.structs.asdict(run)
            fields["settings"] = msgspec.json.encode(run.settings).decode()
            limits = msgspec.structs.asdict(fields.pop("limits"))
            self._write("insert_run", **fields, **limits)
            self._write(
                "insert_experiment",
                agent="task",
                hypothesis="the task's own train.py",
                candidate=train,
                candidate_hash=candidate_hash(train),
                parent=None,
            )

    def limit_run(self, limits: RunLimits) -> None:
        """Change the limits that are given."""
        with self._change():
            self._write("limit_run", **msgspec.structs.asdict(limits))

    def accept(self, findings: Iterable[Check]) -> None:
        """Store findings of the doctor that a person runs in spite of."""
        with self._change():
            for check in findings:
                self._write("accept", finding=check.name, detail=check.detail)

    def want(self, wanted: Wanted) -> None:
        """Say what a person wants; another process may be driving the run."""
        with self._change():
            self._write("want", wanted=wanted)

    def begin_stage(self, experiment: int, progress: Progress) -> None:
        """Say what is being done, for those who watch."""
        with self._change():
            self._write(
                "begin_stage",
                experiment=experiment,
                stage=progress.stage,
                detail=progress.detail,
                seconds=progress.seconds,
            )

    def end_stage(self) -> None:
        """Nothing is being done."""
        with self._change():
            self._db.execute(QUERIES["end_stage"])

    def propose(self, *, agent: str, hypothesis: str, candidate: str, parent: int) -> None:
        """Store the next experiment's candidate."""
        with self._change():
            self._write(
                "insert_experiment",
                agent=agent,
                hypothesis=hypothesis,
                candidate=candidate,
                candidate_hash=candidate_hash(candidate),
                parent=parent,
            )

    def refuse(self, *, agent: str, hypothesis: str, reason: str) -> None:
        """Store a proposal that is no candidate."""
        with self._change():
            self._write("insert_refusal", agent=agent, hypothesis=hypothesis, reason=reason)

    def refuse_experiment(self, experiment: Experiment, reason: str) -> None:
        """Turn an experiment that the sandbox would not run into a refusal; its number is free."""
        with self._change():
            self._write("delete_experiment", number=experiment.number)
            self._write(
                "insert_refusal",
                agent=experiment.agent,
                hypothesis=experiment.hypothesis,
                reason=reason,
            )

    def start(self, experiment: Experiment, key: str) -> None:
        """proposed → running"""
        with self._change():
            self._write("start_experiment", number=experiment.number)
            self._write("insert_trial", key=key, experiment=experiment.number)

    def measure(
        self, experiment: Experiment, result: TrialResult, receipts: Sequence[str] = ()
    ) -> None:
        """running → measured"""
        with self._change():
            self._write("measure_experiment", number=experiment.number)
            self._write("finish_trial", **msgspec.structs.asdict(result))
            self._add_receipts(receipts)

    def decide(
        self,
        experiment: Experiment,
        judgement: Judgement,
        message: str,
        receipts: Sequence[str] = (),
    ) -> None:
        """measured → decided"""
        with self._change():
            self._add_receipts(receipts)
            self._write(
                "decide_experiment",
                number=experiment.number,
                message=message,
                **msgspec.structs.asdict(judgement),
            )

    def record(self, experiment: Experiment, commit_id: str) -> None:
        """decided → recorded"""
        with self._change():
            self._write("record_experiment", number=experiment.number, commit_id=commit_id)
            self._db.execute(QUERIES["end_stage"])

    def begin_session(self, receipts: Sequence[str] = ()) -> None:
        """From here on, every change also says that the session lives."""
        with self._change():
            self._add_receipts(receipts)
            self._write("insert_session")
            session = self._db.execute("SELECT last_insert_rowid()").fetchone()[0]
        self._session = session

    def see_session(self) -> None:
        """Say that the session lives."""
        with self._change():
            pass

    def end_session(self, halt: Halt, detail: str, receipts: Sequence[str] = ()) -> None:
        """Say why it ended; one that could not even begin has nothing to end."""
        if self._session is None:
            return
        with self._change():
            self._add_receipts(receipts)
            self._write("end_session", session=self._session, halt=halt, detail=detail)
            self._db.execute(QUERIES["end_stage"])
        self._session = None

    # ---- below ----------------------------------------------------------------------------------

    def _version(self) -> int:
        """How many migrations were made; 0: the file is new."""
        version: int = self._db.execute("PRAGMA user_version").fetchone()[0]
        return version

    def _migrate(self, path: Path) -> None:
        """All that is missing in one transaction, which sees what others made meanwhile."""
        if self._version() > len(MIGRATIONS):
            raise Failed(f"{path} was written by a newer version.", "Update sealed.")
        if self._version() == len(MIGRATIONS):
            return
        with self._transaction():
            for file in MIGRATIONS[self._version() :]:
                for statement in statements(file.read_text(encoding="utf-8")):
                    self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    @contextmanager
    def _change(self) -> Iterator[None]:
        """One transaction; it ends with the session being seen."""
        with self._transaction():
            yield
            if self._session is not None:
                self._write("see_session", session=self._session)

    def _add_receipts(self, lines: Sequence[str]) -> None:
        for number, line in enumerate(lines, self.count_receipts()):
            self._write("insert_receipt", number=number, line=line)

    def _write(self, name: str, **values: Any) -> None:
        rows = self._db.execute(QUERIES[name], {"now": _now(), **values}).rowcount
        if rows != 1:
            raise Failed(
                f"The ledger was not where it should be ({name} changed {rows} rows).",
                "Start the run again; it goes on from what is stored.",
            )

    def _one(self, name: str, **values: Any) -> dict[str, Any] | None:
        row = self._db.execute(QUERIES[name], values).fetchone()
        return None if row is None else dict(row)

    def _all(self, name: str, **values: Any) -> list[dict[str, Any]]:
        return [dict(row) for row in self._db.execute(QUERIES[name], values)]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
