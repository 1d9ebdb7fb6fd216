"""What a run has tried, by theme: the names that changed lines set. Pure, and the same each time.

A theme comes from the lines that a candidate has and the champion of its time has not, never from
what the candidate says of itself: `lr = 0.1` and `Adam(p, lr=0.1)` are about `lr`. Lines are
compared as text; nothing is parsed.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec import Struct

from controller.decision import Decision
from controller.llm.past import Brief


class Theme(Struct, frozen=True, kw_only=True):
    """Experiments that changed the same."""

    name: str
    tried: int
    failed: int
    """Without a score."""
    kept: int
    last: Brief


def themes(briefs: Sequence[Brief]) -> list[Theme]:
    """All themes of experiments, the most tried first.

    Each experiment has one: of the names that it sets, the one that most others set too.
    """
    common = Counter(name for found in briefs for name in found.names)
    groups = dict[str, list[Brief]]()
    for found in briefs:
        if found.names:
            name = max(found.names, key=lambda name: (common[name], name))
            groups.setdefault(name, []).append(found)
    return sorted(
        (_theme(name, group) for name, group in groups.items()),
        key=lambda theme: (-theme.tried, theme.name),
    )


def dead_ends(found: Iterable[Theme], least: int) -> list[Theme]:
    """Those that were tried so often at least, and of which nothing was ever kept."""
    return [theme for theme in found if theme.tried >= least and not theme.kept]


def _theme(name: str, group: Sequence[Brief]) -> Theme:
    return Theme(
        name=name,
        tried=len(group),
        failed=sum(found.score is None for found in group),
        kept=sum(found.decision is Decision.kept for found in group),
        last=group[-1],
    )
