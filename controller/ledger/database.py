"""The ledger's file: opened, migrated, changed in whole transactions by named queries."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from controller.errors import Failed

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


class Database:
    """Readers may have the file open while another process writes."""

    def __init__(self, path: Path, *, writing: bool) -> None:
        """Open the file; for writing, make or migrate it. Raises `Failed`, `sqlite3.Error`."""
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

    def _do(self, name: str) -> None:
        """A change that may find nothing to change."""
        self._db.execute(_QUERIES[name])

    def _last_row(self) -> int:
        """The number of the row that was inserted last."""
        row: int = self._db.execute("SELECT last_insert_rowid()").fetchone()[0]
        return row

    def _one(self, name: str, **values: Any) -> dict[str, Any] | None:
        row = self._db.execute(_QUERIES[name], values).fetchone()
        return None if row is None else dict(row)

    def _all(self, name: str, **values: Any) -> list[dict[str, Any]]:
        return [dict(row) for row in self._db.execute(_QUERIES[name], values)]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
