"""Constants of a train.py that a search may change, as their comments say.

    LEARNING_RATE = 3e-3    # search: log 1e-4 1e-1     a float, on a logarithmic scale
    DROPOUT = 0.1           # search: 0.0 0.9           a float
    HIDDEN = 32             # search: int 8 256         an integer
    WIDTH = 64              # search: log int 8 1024    an integer, on a logarithmic scale
    ACTIVATION = "relu"     # search: choice relu gelu  one of some words, or of some numbers

The text may be a model's. It is cut into tokens, never parsed, compiled or run, and a new value
takes the place of the old one: no other byte of the file changes.
"""

import io
import math
import re
import tokenize
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain, zip_longest

from msgspec import Struct

from controller.errors import Unusable

Value = int | float | str
"""Of a constant; a choice's value is its literal, quotes included."""

_MARK = re.compile(r"#\s*search:(.*)")
_WORD = re.compile(r"[A-Za-z0-9_.+-]+")
_PLAIN = re.compile(r"True|False|None|[+-]?[0-9][A-Za-z0-9_.+-]*")
_LAYOUT = {tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
_EXAMPLE = "A mark is such as `LEARNING_RATE = 3e-3  # search: log 1e-4 1e-1`."


class Range(Struct, frozen=True):
    """Numbers from `low` to `high`, both included."""

    low: float
    high: float
    integer: bool
    log: bool

    def fit(self, value: float) -> int | float:
        """The nearest value of this range; a float has at most four digits."""
        short = round(value) if self.integer else float(f"{value:.4g}")
        bounded = min(max(short, self.low), self.high)
        return int(bounded) if self.integer else bounded


class Choice(Struct, frozen=True):
    """Literals, as they stand in the file."""

    literals: tuple[str, ...]


class Constant(Struct, frozen=True, kw_only=True):
    """One marked constant."""

    name: str
    literal: str
    value: Value
    domain: Range | Choice


class Marked(Struct, frozen=True, kw_only=True):
    """A file cut at its marked constants: `pieces` has one item more than `constants`."""

    pieces: tuple[str, ...]
    constants: tuple[Constant, ...]

    @property
    def values(self) -> tuple[Value, ...]:
        return tuple(constant.value for constant in self.constants)

    def with_values(self, values: Sequence[Value]) -> str:
        """The file with these values; a constant that keeps its value keeps its spelling."""
        literals = [
            constant.literal if value == constant.value else str(value)
            for constant, value in zip(self.constants, values, strict=True)
        ]
        return "".join(chain.from_iterable(zip_longest(self.pieces, literals, fillvalue="")))


@lru_cache(maxsize=4)  # the champion is read again at each proposal
def marked(source: str) -> Marked:
    """Find the marks of a train.py. Raises `Unusable` with the line of a bad one."""
    lines = list(io.StringIO(source, newline=""))
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    pieces, constants, end = [], [], 0
    lines_by_name: dict[str, int] = {}
    for comment, row in _commented_rows(lines):
        number = comment.start[0]
        mark = _MARK.fullmatch(comment.string)
        if mark is None:
            continue
        name, value = _assignment(row, number)
        if name in lines_by_name:
            raise _bad(number, f"{name} is marked in line {lines_by_name[name]} already.")
        lines_by_name[name] = number
        begin = starts[number - 1] + value[0].start[1]
        pieces.append(source[end:begin])
        end = starts[number - 1] + value[-1].end[1]
        constants.append(_constant(name, source[begin:end], mark[1].split(), number))
    return Marked(pieces=(*pieces, source[end:]), constants=tuple(constants))


def _commented_rows(
    lines: list[str],
) -> list[tuple[tokenize.TokenInfo, list[tokenize.TokenInfo]]]:
    """Each comment with the tokens before it in its line."""
    found, row = [], list[tokenize.TokenInfo]()
    rest = iter(lines)
    try:
        for token in tokenize.generate_tokens(lambda: next(rest, "")):
            if row and row[0].start[0] != token.start[0]:
                row = []
            if token.type == tokenize.COMMENT:
                found.append((token, row))
            elif token.type not in _LAYOUT:
                row.append(token)
    except (tokenize.TokenError, SyntaxError) as fault:
        raise Unusable(
            f"train.py can't be read as Python: {fault.args[0]}.", "Correct it, or use replay."
        ) from None
    return found


def _assignment(row: list[tokenize.TokenInfo], number: int) -> tuple[str, list[tokenize.TokenInfo]]:
    """Name and value tokens of `NAME = value` or `NAME: type = value`."""
    equals = next((n for n, token in enumerate(row) if token.string == "="), None)
    if equals is None or row[0].type != tokenize.NAME or row[1].string not in ("=", ":"):
        raise _bad(number, "a search mark belongs behind `NAME = value`.")
    value = row[equals + 1 :]
    literals = (tokenize.NUMBER, tokenize.STRING, tokenize.NAME)
    sign = "".join(token.string for token in value[:-1])
    if not value or value[-1].type not in literals or sign not in ("", "-"):
        raise _bad(number, f"the value of {row[0].string} must be one number, string or name.")
    return row[0].string, value


def _constant(name: str, literal: str, words: list[str], number: int) -> Constant:
    if words[:1] == ["choice"]:
        return _choice(name, literal, words[1:], number)
    kinds = [word for word in words if word in ("log", "int")]
    bounds = [word for word in words if word not in ("log", "int")]
    if words != kinds + bounds or len(set(kinds)) != len(kinds) or len(bounds) != 2:
        raise _bad(number, "after `search:` come `log`, `int` or neither, then low and high.")
    integer, log = "int" in kinds, "log" in kinds
    try:
        low, high, value = (_number(word, integer) for word in (*bounds, literal))
    except ValueError:
        kind = "integer" if integer else "number"
        raise _bad(number, f"low, high and the value of {name} must each be one {kind}.") from None
    if not low < high:
        raise _bad(number, f"low must be below high, but they are {low:g} and {high:g}.")
    if log and low <= 0:
        raise _bad(number, f"a logarithmic range begins above 0, but low is {low:g}.")
    if not low <= value <= high:
        raise _bad(number, f"{name} is {literal}, outside its range.")
    domain = Range(low=low, high=high, integer=integer, log=log)
    return Constant(name=name, literal=literal, value=value, domain=domain)


def _choice(name: str, literal: str, words: list[str], number: int) -> Constant:
    if not all(_WORD.fullmatch(word) for word in words):
        raise _bad(number, "choices are words of letters, digits and `_.+-`.")
    if literal[0] in "\"'" and literal[:3] not in ('"""', "'''"):
        words = [literal[0] + word + literal[0] for word in words]
    elif not all(_PLAIN.fullmatch(word) for word in (literal, *words)):
        raise _bad(number, f"the choices of {name} must be of one kind: all strings, or numbers.")
    if len(set(words)) < 2 or len(set(words)) != len(words):
        raise _bad(number, "after `choice` come two or more different words.")
    if literal not in words:
        raise _bad(number, f"{name} is {literal}, which is not among its choices.")
    return Constant(name=name, literal=literal, value=literal, domain=Choice(tuple(words)))


def _number(word: str, integer: bool) -> int | float:
    if integer:
        return int(word.replace(" ", ""), 0)
    number = float(word.replace(" ", ""))
    if not math.isfinite(number):
        raise ValueError(word)
    return number


def _bad(number: int, what: str) -> Unusable:
    return Unusable(f"train.py, line {number}: {what}", _EXAMPLE)
