"""A model's reply, turned into a candidate, or into the exact reason why it is none. Pure.

The text is untrusted: it is compared with lines of the champion and put in their place, and never
parsed as code. Whatever it says beside its edit is its hypothesis.
"""

import re

from controller.candidate import Candidate, Unfit
from sandbox.api import CANDIDATE_BYTES

FORMAT = """\
HYPOTHESIS: why this should score better, in a sentence or two.
<<<<<<< SEARCH
lines of train.py, copied exactly
=======
the lines to put in their place
>>>>>>> REPLACE

Give one such block or several. The lines of each SEARCH must occur exactly once in train.py, and
enough of them to be found once. To set one constant, a single line `NAME = value` does instead of
a block. To rewrite the file, give all of it in one fence that begins with ```python instead.
Only train.py can be edited."""
"""What a model is told of its reply."""

_HYPOTHESIS_LETTERS = 4000
_QUOTED_LETTERS = 80
_HEAD = re.compile(r"<{5,9} ?SEARCH")
_MIDDLE = re.compile(r"={5,9}")
_TAIL = re.compile(r">{5,9} ?REPLACE")
_FENCE = re.compile(r"(`{3,})\s*([^`]*)")
_FILE = re.compile(r"[`*#\s]*([\w./\\-]+\.[A-Za-z]\w{0,5})[`*:\s]*")
_CODE = frozenset({"", "python", "py", "python3"})
_SETTING = re.compile(r"([A-Za-z_]\w*)\s*(?::[^=]*)?=(?!=)\s*(\S.*)")
_OPEN = ("(", "[", "{", "\\", '"""', "'''", ",")


class _NotFit(Exception):
    """The reason, as the model is told it."""


def parsed(reply: str, champion: str) -> Candidate | Unfit:
    """The champion with the reply's edit made, or why there is none."""
    lines = reply.replace("\r\n", "\n").split("\n")
    start = _first_edit(lines)
    hypothesis = _hypothesis(lines[:start])
    try:
        source = _edited(lines, champion)
        _check(source, champion)
    except _NotFit as fault:
        return Unfit(hypothesis=hypothesis, reason=str(fault))
    return Candidate(source=source, hypothesis=hypothesis)


def is_whole_file(reply: str) -> bool:
    """Whether a reply replaces all of train.py, and so undoes what it was not made from."""
    return not any(_HEAD.fullmatch(line.strip()) for line in reply.split("\n")) and "```" in reply


def _edited(lines: list[str], champion: str) -> str:
    if any(_HEAD.fullmatch(line.strip()) for line in lines):
        return _with_blocks(lines, champion)
    if any(_FENCE.match(line.strip()) for line in lines):
        return _whole_file(lines)
    return _with_setting(lines, champion)


def _first_edit(lines: list[str]) -> int:
    for number, line in enumerate(lines):
        if _HEAD.fullmatch(line.strip()) or _FENCE.match(line.strip()):
            return number
    return len(lines)


def _hypothesis(lines: list[str]) -> str:
    kept = [line for line in lines if not _FILE.fullmatch(line)]
    text = "\n".join(kept)[: 2 * _HYPOTHESIS_LETTERS].strip()
    return re.sub(r"^\W*HYPOTHESIS\W*:\W*", "", text, flags=re.IGNORECASE)[:_HYPOTHESIS_LETTERS]


# ---- search and replace -----------------------------------------------------------------------


def _with_blocks(lines: list[str], champion: str) -> str:
    source, number, at = champion, 0, 0
    while at < len(lines):
        if not _HEAD.fullmatch(lines[at].strip()):
            _check_file(lines[at])
            at += 1
            continue
        number += 1
        middle = _next(lines, at + 1, _MIDDLE, number, "=======")
        tail = _next(lines, middle + 1, _TAIL, number, ">>>>>>> REPLACE")
        source = _replaced(source, lines[at + 1 : middle], lines[middle + 1 : tail], number)
        at = tail + 1
    return source


def _next(lines: list[str], start: int, wanted: re.Pattern[str], number: int, mark: str) -> int:
    for at in range(start, len(lines)):
        line = lines[at].strip()
        if wanted.fullmatch(line):
            return at
        if _HEAD.fullmatch(line):
            break
    raise _NotFit(f"Block {number} has no line `{mark}`.")


def _replaced(source: str, search: list[str], replacement: list[str], number: int) -> str:
    if not any(line.strip() for line in search):
        raise _NotFit(f"The SEARCH of block {number} is empty.")
    text = source.split("\n")
    there = [line.rstrip() for line in text]
    wanted = [line.rstrip() for line in search]
    last = len(there) - len(wanted)
    found = [at for at in range(last + 1) if there[at : at + len(wanted)] == wanted]
    if len(found) != 1:
        first = next(line for line in search if line.strip()).strip()[:_QUOTED_LETTERS]
        times = f"{len(found)} times" if found else "nowhere"
        raise _NotFit(
            f"The SEARCH of block {number} (`{first}`) is found {times} in train.py, not once."
        )
    text[found[0] : found[0] + len(wanted)] = replacement
    return "\n".join(text)


def _check_file(line: str) -> None:
    """A line beside the blocks that is a file's name must be the one file there is."""
    named = _FILE.fullmatch(line)
    if named and named[1].replace("\\", "/").rsplit("/", 1)[-1] != "train.py":
        raise _NotFit(f"The reply edits {named[1][:_QUOTED_LETTERS]}; only train.py can be edited.")


# ---- the whole file ---------------------------------------------------------------------------


def _whole_file(lines: list[str]) -> str:
    fences = [(at, _FENCE.fullmatch(line.strip())) for at, line in enumerate(lines)]
    marks = [(at, found) for at, found in fences if found]
    if len(marks) < 2:
        raise _NotFit("The fence of the file is not closed: the reply was cut, or ``` is missing.")
    if len(marks) > 2:
        raise _NotFit("There is more than one fence, so it is not clear which is train.py.")
    (start, opening), (end, _) = marks
    for line in lines[:start]:
        _check_file(line)
    if opening[2].strip().lower() not in _CODE:
        _check_file(opening[2].split(":")[-1])
        if "train.py" not in opening[2]:
            raise _NotFit(f"The fence holds {opening[2].strip()[:_QUOTED_LETTERS]}, not Python.")
    return "\n".join(lines[start + 1 : end]) + "\n"


# ---- one constant -----------------------------------------------------------------------------


def _with_setting(lines: list[str], champion: str) -> str:
    """The first line of the reply that sets a constant which train.py has at its top level."""
    text = champion.split("\n")
    for line in lines:
        told = _SETTING.fullmatch(line.strip().strip("`").strip())
        if told is None:
            continue
        places = [
            at
            for at, old in enumerate(text)
            if (known := _SETTING.fullmatch(old)) and known[1] == told[1]
        ]
        if len(places) != 1 or text[places[0]].split("#")[0].rstrip().endswith(_OPEN):
            continue
        old = text[places[0]]
        value, comment = told[2], old.partition("#")[2] if "#" not in told[2] else ""
        known = _SETTING.fullmatch(old)
        assert known is not None
        text[places[0]] = old[: known.start(2)] + value + (f"  #{comment}" if comment else "")
        return "\n".join(text)
    raise _NotFit("There is no code in it: no SEARCH block, no fence, and no line `NAME = value`.")


# ---- what all share ---------------------------------------------------------------------------


def _check(source: str, champion: str) -> None:
    if source.strip() == champion.strip() or not source.strip():
        raise _NotFit("It changes nothing." if source.strip() else "The file is empty.")
    try:
        size = len(source.encode())
    except UnicodeEncodeError:
        raise _NotFit("The file is not UTF-8: it has half of a surrogate pair.") from None
    if source.count("\ufffd") > champion.count("\ufffd") or "\0" in source:
        raise _NotFit("The file is not UTF-8: bytes of it were lost on the way.")
    if size > CANDIDATE_BYTES:
        raise _NotFit(f"The file has {size} bytes; {CANDIDATE_BYTES} are allowed.")
