"""What a run has tried, by theme: the names that changed lines set. Pure, and the same each time.

A theme comes from the lines that a candidate has and the champion of its time has not, never from
what the candidate says of itself: `lr = 0.1` and `Adam(p, lr=0.1)` are about `lr`. Lines are
compared as text; nothing is parsed.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache

from msgspec import Struct

from controller.decision import Decision
from controller.visible import Seen

_NAME_LETTERS = 40
_SET = re.compile(rf"\b([A-Za-z_][A-Za-z0-9_]{{0,{_NAME_LETTERS - 1}}})\s*[-+*/]?=(?!=)", re.ASCII)
_DEFINED = re.compile(rf"\b(?:def|class)\s+([A-Za-z_]\w{{0,{_NAME_LETTERS - 1}}})\b", re.ASCII)
_LINES = 200
"""Of a candidate that changes more, the first in order of the alphabet stand for all."""


class Theme(Struct, frozen=True, kw_only=True):
    """Experiments that changed the same."""

    name: str
    tried: int
    failed: int
    """Without a score."""
    kept: int
    last: Seen


def themes(experiments: Sequence[Seen]) -> list[Theme]:
    """All themes of the experiments after the baseline, the most tried first.

    Each experiment has one: of the names that it sets, the one that most others set too.
    """
    champion, found = experiments[0].candidate, list[tuple[Seen, tuple[str, ...]]]()
    for seen in experiments[1:]:
        found.append((seen, _names(seen.candidate, champion)))
        if seen.decision is Decision.kept:
            champion = seen.candidate
    common = Counter(name for _, names in found for name in names)
    groups = dict[str, list[Seen]]()
    for seen, names in found:
        if names:
            name = max(names, key=lambda name: (common[name], name))
            groups.setdefault(name, []).append(seen)
    return sorted(
        (_theme(name, group) for name, group in groups.items()),
        key=lambda theme: (-theme.tried, theme.name),
    )


def dead_ends(found: Iterable[Theme], least: int) -> list[Theme]:
    """Those that were tried so often at least, and of which nothing was ever kept."""
    return [theme for theme in found if theme.tried >= least and not theme.kept]


def _theme(name: str, group: Sequence[Seen]) -> Theme:
    return Theme(
        name=name,
        tried=len(group),
        failed=sum(seen.score is None for seen in group),
        kept=sum(seen.decision is Decision.kept for seen in group),
        last=group[-1],
    )


@lru_cache(maxsize=8192)  # what was tried stays tried: asked again for every prompt
def _names(candidate: str, champion: str) -> tuple[str, ...]:
    """The names that lines set which the candidate has and the champion has not."""
    known = _lines(champion)
    new = sorted({line for line in candidate.split("\n") if line not in known})[:_LINES]
    text = "\n".join(line.partition("#")[0] for line in new)
    return tuple(dict.fromkeys(_SET.findall(text) + _DEFINED.findall(text)))


@lru_cache(maxsize=4)
def _lines(text: str) -> frozenset[str]:
    return frozenset(text.split("\n"))
