"""What shows that an attack has gained, as one line of its header: a name, an operator, a value.

    score beats 0.001     better than the task's own `train.py` by more than this, or NaN
    rehearsal beats 0.001 the same on the public split
    tasks > 512           a number that the attack said in its log, as `tasks: 620`; or `<`
    beat spans 2.5        from the first line `beat: <seconds>` to the last it is longer than this
    found =~ \\S           a line `found: …` of its log matches a pattern

Other names are `seconds`, `log_bytes`, `attempts` and `reaped`, numbers of the trial itself, and
`log`, `reason` and `outcome`, its texts.
"""

import math
import re
from collections.abc import Callable

from msgspec import Struct

from sandbox.api import Goal

_LINE = re.compile(r"([a-z_][a-z_ ]*) (<|>|=~|beats|spans) (.+)")
_SHOWN = 60


class Seen(Struct, frozen=True, kw_only=True):
    """What one arm of an attack came to, as its client sees it."""

    outcome: str
    score: float | None
    rehearsal: float | None
    honest: float | None
    """Score of the task's own `train.py`."""
    honest_rehearsal: float | None
    goal: Goal
    log: str
    reason: str
    seconds: float
    log_bytes: int = 0
    attempts: int = 1
    reaped: int = 0
    """Containers and volumes that were left of it; counted where a canary asks for them."""

    def said(self, name: str) -> list[str]:
        """What the attack said in its lines `<name>: …`."""
        return re.findall(rf"^{re.escape(name)}: ?(.*)$", self.log, re.MULTILINE)


Look = Callable[[Seen], str]
"""Says what of the canary is seen; empty: nothing."""


def parse(line: str) -> Look:
    """The look for a canary. Raises `ValueError` if the line is none."""
    found = _LINE.fullmatch(line)
    if found is None:
        raise ValueError(f"{line!r} is no canary")
    name, operator, value = found.groups()
    if operator == "=~":
        pattern = re.compile(value)
        return lambda seen: _matches(seen, name, pattern)
    bound = float(value)
    if operator == "beats":
        if name not in ("score", "rehearsal"):
            raise ValueError(f"{line!r}: only a score beats another")
        return lambda seen: _beats(seen, name, bound)
    if operator == "spans":
        return lambda seen: _spans(seen, name, bound)
    return lambda seen: _exceeds(seen, name, operator, bound)


def _matches(seen: Seen, name: str, pattern: re.Pattern[str]) -> str:
    texts = [getattr(seen, name)] if name in ("log", "reason", "outcome") else seen.said(name)
    for text in texts:
        if found := pattern.search(text):
            shown = text[found.start() :].split("\n")[0] if name == "log" else text
            return f"{name}: {shown}"[:_SHOWN]
    return ""


def _beats(seen: Seen, name: str, margin: float) -> str:
    score, honest = (
        (seen.score, seen.honest) if name == "score" else (seen.rehearsal, seen.honest_rehearsal)
    )
    if score is None or honest is None:
        return ""
    sign = 1 if seen.goal is Goal.maximize else -1
    if not math.isnan(score) and not sign * (score - honest) > margin:
        return ""
    return f"{name} {score:.4g}, honest {honest:.4g}"


def _spans(seen: Seen, name: str, most: float) -> str:
    beats = [float(beat) for beat in seen.said(name)]
    span = max(beats) - min(beats) if beats else 0.0
    return f"worked {span:.1f} s" if span > most else ""


def _exceeds(seen: Seen, name: str, operator: str, bound: float) -> str:
    if name in ("score", "rehearsal", "seconds", "log_bytes", "attempts", "reaped"):
        number = getattr(seen, name)
        numbers = [] if number is None else [float(number)]
    else:
        numbers = [float(text) for text in seen.said(name) if re.fullmatch(r"-?[\d.]+", text)]
    for number in numbers:
        if number > bound if operator == ">" else number < bound:
            return f"{name}: {number:.10g}"
    return ""
