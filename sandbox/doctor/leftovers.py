"""How much one container can still tell a later one through the files that they share.

No list of system calls can forbid it: the note is in how long an ordinary read or lookup takes.
What is measured here is written down in SECURITY.md, and is zero where containers share no files.
"""

import json
import math
from dataclasses import dataclass
from typing import Any

from sandbox.containers.container import StartFailed
from sandbox.containers.host import Host
from sandbox.doctor.measured import run_program
from sandbox.policy import Role

BITS = 200
_CHANCE = 2.0
"""Times 1/√bits: a share of wrong bits no farther from a half than this is chance, four times the
standard error of that share."""
WAYS = ("pages", "names")
"""See `programs/notes.py`."""


@dataclass(frozen=True)
class Leftover:
    """What came through in one way."""

    way: str
    bits: int
    """Sent; none if the kernel had nothing left to forget."""
    wrong: int
    seconds: float
    """Of leaving the note and of reading it."""

    @property
    def carries(self) -> bool:
        """Whether more came through than chance."""
        return self.bits > 0 and abs(self.wrong / self.bits - 0.5) > _CHANCE / math.sqrt(self.bits)

    @property
    def bits_per_second(self) -> float:
        """What a channel of this speed and these errors carries at best (Shannon, symmetric)."""
        if not self.bits:
            return 0.0
        error = min(max(self.wrong / self.bits, 1e-9), 1 - 1e-9)
        lost = -error * math.log2(error) - (1 - error) * math.log2(1 - error)
        return self.bits / self.seconds * (1 - lost)


def leftovers(host: Host) -> list[Leftover]:
    """Send a note in each way, from one predictor to the next. Raises `StartFailed`."""
    return [_sent(host, way) for way in WAYS]


def _sent(host: Host, way: str) -> Leftover:
    sent = _note(host, "send", way, BITS)
    if not sent["places"]:
        return Leftover(way, 0, 0, 0.0)
    found = _note(host, "receive", way, *sent["places"])
    wrong = sum(map(int.__ne__, sent["bits"], found["bits"]))
    return Leftover(way, len(sent["bits"]), wrong, sent["seconds"] + found["seconds"])


def _note(host: Host, *arguments: object) -> dict[str, Any]:
    output = run_program(host, "notes", *arguments, role=Role.predictor).output
    try:
        said: dict[str, Any] = json.loads(output)
    except ValueError:
        raise StartFailed(f"the probe said: {output[-300:] or 'nothing'}") from None
    return said
