"""What is printed: JSON for programs, plain text and tables for people, errors on stderr.

Text that models wrote is passed to rich as `Text`, so that it can't be taken for markup.
"""

import sys
from collections.abc import Iterable, Sequence

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from controller.text import one_line, printable, sized, spoken
from sandbox.api import Check, Verdict

_PIPE_WIDTH = 200
_COLOURS = {
    "kept": "green",
    "discarded": "dim",
    "dethroned": "red",
    Verdict.passed: "green",
    Verdict.warning: "yellow",
    Verdict.failed: "red",
    Verdict.not_applicable: "dim",
}


def console(*, stderr: bool = False) -> Console:
    """A console for the present stdout or stderr; into a pipe, lines are not wrapped at 80."""
    found = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not found.is_terminal:
        found.width = max(found.width, _PIPE_WIDTH)
    return found


def say(line: str) -> None:
    """One line on stdout."""
    console().print(Text(line), soft_wrap=True)


def complain(message: str, next_step: str) -> None:
    """One error on stderr: what is wrong, then what to do."""
    out = console(stderr=True)
    out.print(Text.assemble(("error: ", "red"), printable(message, 4000)), soft_wrap=True)
    if next_step:
        out.print(Text.assemble(("next: ", "bold"), printable(next_step, 8000)), soft_wrap=True)


def print_json(value: object) -> None:
    """A JSON document on stdout; a NaN or an infinity is null."""
    document = msgspec.json.format(msgspec.json.encode(value), indent=2)
    sys.stdout.write(document.decode() + "\n")


def print_items(items: Sequence[object]) -> None:
    """A list as a JSON document."""
    print_json({"items": items})


_CELL_LETTERS = 2000


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table; the last column takes what width is left."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        last = column == columns[-1]
        table.add_column(column, no_wrap=not last, overflow="fold")
    for row in rows:
        table.add_row(
            *(Text(one_line(cell, _CELL_LETTERS), style=_COLOURS.get(cell, "")) for cell in row)
        )
    console().print(table)


def print_checks(checks: Sequence[Check]) -> None:
    """Findings of the doctor, each with its next step below it where it has one."""
    rows: list[tuple[str, str, str]] = []
    for check in checks:
        rows.append((check.verdict, check.name, check.detail))
        if check.next_step:
            rows.append(("", "", f"next: {check.next_step}"))
    print_table(("verdict", "finding", "detail"), rows)


def print_diff(diff: str) -> None:
    """A unified diff, coloured on a terminal."""
    colours = {"+": "green", "-": "red", "@": "cyan"}
    out = console()
    for line in diff.split("\n"):
        out.print(Text(line, style=colours.get(line[:1], "")), soft_wrap=True)


def figure(value: float | None) -> str:
    """A number of the metric in six digits; a dash for none."""
    return "-" if value is None else f"{value:.6g}"


def duration(seconds: float | None) -> str:
    """Seconds as people say them."""
    return "-" if seconds is None else spoken(seconds)


def size(count: float | None) -> str:
    """Bytes as people say them."""
    return "-" if count is None else sized(count)
