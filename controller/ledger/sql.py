"""The ledger's SQL: its migrations in order, its queries by name."""

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

_FOLDER = Path(__file__).parent
MIGRATIONS = sorted((_FOLDER / "migrations").glob("*.sql"))
QUERIES = {
    name: sql.strip()
    for name, sql in re.findall(
        r"^-- name: (\w+)\n(.*?)(?=^-- name: |\Z)",
        (_FOLDER / "queries.sql").read_text(encoding="utf-8"),
        re.DOTALL | re.MULTILINE,
    )
}


def statements(sql: str) -> Iterator[str]:
    """The statements of a script, for `executescript` would end the transaction."""
    statement = ""
    for line in sql.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
