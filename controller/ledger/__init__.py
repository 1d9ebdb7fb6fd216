"""What happened in a run, in SQLite: the truth that repository and exports are made from.

WAL with `synchronous=FULL`: a change that returned survives a power cut. Every change of an
experiment's state is one transaction that demands the state before it, so a change can neither be
skipped nor made twice.
"""

import hashlib
import re
import sqlite3
from collections.abc import Iterable, Iterator
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
    Scored,
    Session,
    State,
    Tally,
    Wanted,
)
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
    "Scored",
    "Session",
    "State",
    "Tally",
    "Wanted",
    "candidate_hash",
]

_FOLDER = Path(__file__).parent
_MIGRATIONS = sorted((_FOLDER / "migrations").glob("*.sql"))
_QUERIES = {
    name: sql.strip()
    for name, sql in re.findall(
        r"^-- name: (\w+)\n(.*?)(?=^-- name: |\Z)",
        (_FOLDER / "queries.sql").read_text(encoding="utf-8"),
        re.DOTALL | re.MULTILINE,
    )
}
_LAST = 2**63 - 1
"""The highest number that there can be."""
_WAIT_SECONDS = 30.0
"""How long a write waits for another process; nobody holds the ledger for long."""


def _statements(sql: str) -> Iterator[str]:
    """The statements of a script, for `executescript` would end the transaction."""
    statement = ""
    for line in sql.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


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

    def experiments(self, first: int = 0, last: int = _LAST) -> list[Experiment]:
        """Experiments by number, the unfinished one included; by default all."""
        return self._experiments(first, last)

    def experiment(self, number: int) -> Experiment:
        """Raises `NotFound`."""
        found = self._experiments(number, number)
        if not found:
            raise NotFound(f"This run has no experiment {number}.", "`sealed experiment list`.")
        return found[0]

    def unfinished(self) -> Experiment | None:
        """The experiment that is not recorded yet; there is at most one."""
        newest = self._experiments(None, _LAST)
        return newest[0] if newest and newest[0].state is not State.recorded else None

    def champion(self) -> Experiment | None:
        """The best kept candidate's experiment; None before the baseline has a score."""
        row = self._one("champion")
        return None if row is None else self.experiment(row["number"])

    def scores(self) -> list[Scored]:
        """All scores by number, that of an experiment which is not decided yet included."""
        return [msgspec.convert(row, Scored, strict=False) for row in self._all("scores")]

    def candidate(self, number: int) -> str:
        """The text of an experiment's candidate."""
        return self.candidates(number, number)[number]

    def candidates(self, first: int = 0, last: int = _LAST) -> dict[int, str]:
        """Candidates' texts by experiment; by default of all."""
        rows = self._all("candidates", first=first, last=last)
        return {row["number"]: row["candidate"] for row in rows}

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
            self._db.execute(_QUERIES["end_stage"])

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

    def measure(self, experiment: Experiment, result: TrialResult) -> None:
        """running → measured"""
        with self._change():
            self._write("measure_experiment", number=experiment.number)
            self._write("finish_trial", **msgspec.structs.asdict(result))

    def decide(self, experiment: Experiment, judgement: Judgement, message: str) -> None:
        """measured → decided"""
        with self._change():
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
            self._db.execute(_QUERIES["end_stage"])

    def begin_session(self) -> None:
        """From here on, every change also says that the session lives."""
        with self._change():
            self._write("insert_session")
            session = self._db.execute("SELECT last_insert_rowid()").fetchone()[0]
        self._session = session

    def see_session(self) -> None:
        """Say that the session lives."""
        with self._change():
            pass

    def end_session(self, halt: Halt, detail: str) -> None:
        """Say why it ended; one that could not even begin has nothing to end."""
        if self._session is None:
            return
        with self._change():
            self._write("end_session", session=self._session, halt=halt, detail=detail)
            self._db.execute(_QUERIES["end_stage"])
        self._session = None

    # ---- below ----------------------------------------------------------------------------------

    def _experiments(self, first: int | None, last: int) -> list[Experiment]:
        rows = self._all("experiments", first=first, last=last)
        return [msgspec.convert(row, Experiment) for row in rows]

    def _version(self) -> int:
        """How many migrations were made; 0: the file is new."""
        version: int = self._db.execute("PRAGMA user_version").fetchone()[0]
        return version

    def _migrate(self, path: Path) -> None:
        """All that is missing in one transaction, which sees what others made meanwhile."""
        if self._version() > len(_MIGRATIONS):
            raise Failed(f"{path} was written by a newer version.", "Update sealed.")
        if self._version() == len(_MIGRATIONS):
            return
        with self._transaction():
            for file in _MIGRATIONS[self._version() :]:
                for statement in _statements(file.read_text(encoding="utf-8")):
                    self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")

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

    def _write(self, name: str, **values: Any) -> None:
        rows = self._db.execute(_QUERIES[name], {"now": _now(), **values}).rowcount
        if rows != 1:
            raise Failed(
                f"The ledger was not where it should be ({name} changed {rows} rows).",
                "Start the run again; it goes on from what is stored.",
            )

    def _one(self, name: str, **values: Any) -> dict[str, Any] | None:
        row = self._db.execute(_QUERIES[name], values).fetchone()
        return None if row is None else dict(row)

    def _all(self, name: str, **values: Any) -> list[dict[str, Any]]:
        return [dict(row) for row in self._db.execute(_QUERIES[name], values)]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
