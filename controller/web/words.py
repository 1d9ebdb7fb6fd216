"""Figures and times in a person's words, and text made safe at the border of the page.

`shown` is applied to every text that a template puts out and to every text of a JSON document, so
whether a field has something in it that a model wrote need not be remembered anywhere.
"""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from markupsafe import Markup

from controller.text import one_line, printable, spoken

TEXT_LETTERS = 200_000
"""Above every candidate and log that is stored; what is longer is cut."""
NOTHING = "–"


def shown(value: object) -> object:
    """A value of a template, without control and invisible characters. Not escaped yet."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return printable(value, TEXT_LETTERS)
    return value


def document(value: object) -> bytes:
    """JSON of structs, with all text in it as the page shows it; NaN and infinity are null."""
    plain = msgspec.to_builtins(value)
    return msgspec.json.format(msgspec.json.encode(_cleaned(plain)), indent=2) + b"\n"


def _cleaned(value: Any) -> Any:
    if isinstance(value, dict):
        return {_cleaned(key): _cleaned(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    return shown(value)


def line(text: str | None, letters: int) -> str:
    """Text as one line."""
    return one_line(text or "", letters)


def figure(value: float | None, digits: int = 6) -> str:
    """A number of the metric; a dash for none, and for what is none."""
    if value is None or not math.isfinite(value):
        return NOTHING
    return f"{value + 0.0:.{digits}g}".replace("-", "−")


def padded(value: float | None, digits: int = 6) -> str:
    """The same for a column: zeros at the end stay."""
    if value is None or not math.isfinite(value):
        return NOTHING
    return f"{value + 0.0:#.{digits}g}".removesuffix(".").replace("-", "−")


def gain(value: float | None, standard_error: float | None) -> str:
    """A gain, better is +, worse is −; to the place of the second digit of its standard error."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if standard_error is None or not math.isfinite(standard_error) or standard_error <= 0:
        return f"{value + 0.0:+.4g}".replace("-", "−")
    places = 1 - math.floor(math.log10(standard_error))
    text = f"{value + 0.0:+.{places}f}" if 0 <= places <= 12 else f"{value + 0.0:+.4g}"
    return text.replace("-", "−")


def percent(value: float | None) -> str:
    """A share in per cent, no more digits than mean something."""
    if value is None or not math.isfinite(value):
        return NOTHING
    size = abs(value)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2
    return f"{value + 0.0:.{digits}f} %".replace("-", "−")


def duration(seconds: float | None) -> str:
    """Seconds as people say them."""
    return NOTHING if seconds is None or not math.isfinite(seconds) else spoken(seconds)


def size(count: float | None) -> str:
    """Bytes as people say them."""
    if count is None:
        return NOTHING
    for unit, bytes_each in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= bytes_each:
            return f"{count / bytes_each:.3g} {unit}"
    return f"{count} bytes"


def moment(stamp: str | None) -> str:
    """A time of the ledger, in UTC; the page's script tells the reader's own."""
    at = parsed(stamp)
    return NOTHING if at is None else f"{at.day} {at:%b %Y, %H:%M} UTC"


def seconds_until(stamp: str) -> int:
    """From now to a time of the ledger, at least 0."""
    at = parsed(stamp)
    return 0 if at is None else max(0, round((at - datetime.now(UTC)).total_seconds()))


def later(stamp: str, seconds: float) -> str:
    """A time of the ledger, and so many seconds more."""
    at = parsed(stamp)
    if at is None:
        return stamp
    return iso(at + timedelta(seconds=seconds))


def iso(at: datetime) -> str:
    """As the ledger writes it."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parsed(stamp: str | None) -> datetime | None:
    """A time of the ledger; None: there is none."""
    try:
        return None if stamp is None else datetime.fromisoformat(stamp)
    except ValueError:
        return None
