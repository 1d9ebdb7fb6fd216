"""What a run's prompts need of each experiment: a kilobyte at most, read once.

A prompt looks at all of a run's experiments each time, and a run has thousands. Their files and
logs stay where they are; of the latest failure alone the log is read again.
"""

import hashlib
import re
import sys
from collections.abc import Sequence
from functools import lru_cache
from itertools import islice

from msgspec import Struct

from controller.decision import Decision
from controller.remembered import Remembered
from controller.text import one_line
from controller.visible import Seen, View
from sandbox.api import Outcome

LINE_LETTERS = 240
"""Of a text that a prompt has in one line."""
_NAME_LETTERS = 40
_SET = re.compile(rf"\b([A-Za-z_][A-Za-z0-9_]{{0,{_NAME_LETTERS - 1}}})\s*[-+*/]?=(?!=)", re.ASCII)
_DEFINED = re.compile(rf"\b(?:def|class)\s+([A-Za-z_]\w{{0,{_NAME_LETTERS - 1}}})\b", re.ASCII)
_MOST = 24
"""Lines, and names in them; of a candidate that changes more, the first lines by the alphabet."""


class Brief(Struct, frozen=True, kw_only=True):
    """One experiment in brief; see `Seen` for what is not said here."""

    number: int
    agent: str
    outcome: Outcome
    decision: Decision
    score: float | None
    hypothesis: str
    """One line of `LINE_LETTERS` at most, like `reason`."""
    reason: str
    digest: bytes
    """SHA-256 of its candidate."""
    names: tuple[str, ...]
    """What lines set that the champion of its time has not; the baseline has none."""

    @property
    def failed(self) -> bool:
        """Whether it is the candidate's fault that it has no score."""
        return self.outcome not in (Outcome.scored, Outcome.error)


class Past(Struct, frozen=True, kw_only=True):
    """All of a view's experiments, as prompts need them."""

    briefs: Sequence[Brief]
    """By number, the baseline first."""
    log: str
    """The end of the log of the latest that failed."""


class Memory:
    """The past of a run whose view grows."""

    def __init__(self) -> None:
        self._briefs = Remembered(self._read)
        self._champion = ""
        """The candidate that the one which is read next was compared with."""
        self._failed: Brief | None = None
        self._log = ""

    def of(self, view: View) -> Past:
        """The past of a view of this run. Reads what was added since."""
        briefs = self._briefs.of(view)
        failed = next((found for found in reversed(briefs[1:]) if found.failed), None)
        if failed is not self._failed:
            self._failed = failed
            self._log = "" if failed is None else view.experiments[failed.number].log
        return Past(briefs=briefs, log=self._log)

    def _read(self, seen: Seen) -> Brief:
        known = self._champion if seen.number else seen.candidate
        if not seen.number or seen.decision is Decision.kept:
            self._champion = seen.candidate
        return Brief(
            number=seen.number,
            agent=seen.agent,
            outcome=seen.outcome,
            decision=seen.decision,
            score=seen.score,
            hypothesis=one_line(seen.hypothesis, LINE_LETTERS),
            reason=one_line(seen.reason, LINE_LETTERS),
            digest=digest(seen.candidate),
            names=_names(seen.candidate, known),
        )


def digest(candidate: str) -> bytes:
    """What tells candidates apart."""
    return hashlib.sha256(candidate.encode(errors="surrogatepass")).digest()


def _names(candidate: str, champion: str) -> tuple[str, ...]:
    """The names that lines set which the candidate has and the champion has not."""
    known = _lines(champion)
    new = sorted({line for line in candidate.split("\n") if line not in known})[:_MOST]
    text = "\n".join(line.partition("#")[0] for line in new)
    names = dict.fromkeys(_SET.findall(text) + _DEFINED.findall(text))
    return tuple(map(sys.intern, islice(names, _MOST)))


@lru_cache(maxsize=4)
def _lines(text: str) -> frozenset[str]:
    return frozenset(text.split("\n"))
