"""Two changes of one text put together, line by line, as `git merge-file` does: pure.

No git process is started for that, so here it is. A change of one side stands where the other side
left the lines alone. Changes of neighbouring lines are no conflict, though they are for git:
constants of a program stand one below the other.
"""

import difflib
from collections.abc import Sequence

from controller.diff import MOST_LINES

_Change = tuple[int, int, Sequence[str]]
"""Lines of the base from the first to before the second number, and what stands there instead."""


def merged(base: str, ours: str, theirs: str) -> str | None:
    """`ours` with what `theirs` changed in `base`.

    None: both changed the same lines, or a text has more than `MOST_LINES`.
    """
    texts = [text.splitlines(keepends=True) for text in (base, ours, theirs)]
    if max(map(len, texts)) > MOST_LINES:
        return None
    first, second = (_changes(texts[0], side) for side in texts[1:])
    wanted = [change for change in second if change not in first]
    if any(_collide(one, other) for one in wanted for other in first):
        return None
    found, place = list[str](), 0
    for start, end, lines in sorted([*first, *wanted], key=lambda change: change[:2]):
        found += [*texts[0][place:start], *lines]
        place = end
    return "".join(found + texts[0][place:])


def _changes(before: Sequence[str], after: Sequence[str]) -> list[_Change]:
    matcher = difflib.SequenceMatcher(None, before, after)
    return [
        (start, end, after[first:last])
        for kind, start, end, first, last in matcher.get_opcodes()
        if kind != "equal"
    ]


def _collide(one: _Change, other: _Change) -> bool:
    """Whether both change a line, or put lines at one place, or one puts some where another was."""
    if one[:2] == other[:2]:
        return True
    return one[0] < other[1] and other[0] < one[1]
