"""Text that a model or a candidate wrote, made safe to show, store and quote.

Control characters (terminal escapes), bidirectional marks, zero-width characters and invisible
letters become U+FFFD, so that a reader sees that something was there.
"""

import re
import unicodedata

_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Printable for Unicode, yet drawn as nothing: carriers of hidden text."""


def printable(text: str, limit: int) -> str:
    """At most `limit` characters of `text`, line breaks as `\\n`; tabs stay."""
    lines = text[:limit].replace("\r\n", "\n").replace("\r", "\n")
    shown = _INVISIBLE.sub("\ufffd", lines)
    if not shown.replace("\n", "").replace("\t", "").isprintable():
        shown = "".join(_shown(letter) for letter in shown)
    return shown if len(text) <= limit else shown[: limit - 1] + "…"


def one_line(text: str, limit: int) -> str:
    """`text` as one line of at most `limit` characters, white space collapsed."""
    line = " ".join(printable(text, 4 * limit).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def spoken(seconds: float) -> str:
    """A finite number of seconds as people say it."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def sized(count: float) -> str:
    """A number of bytes as people say it."""
    return f"{count / 2**20:.0f} MiB" if count < 2**30 else f"{count / 2**30:.1f} GiB"


def _shown(letter: str) -> str:
    if letter.isprintable() or letter in "\n\t":
        return letter
    return " " if unicodedata.category(letter) == "Zs" else "\ufffd"
