"""The chart of a run: a dot an experiment, and the best so far as a line of steps. Pure.

Places are in per cent of the width, which is the screen's, and in pixels of the height: letters
and dots keep their size at any width, and no script measures anything.
"""

import itertools
import math
from collections.abc import Iterator, Sequence

from msgspec import Struct

from controller.web.words import figure
from sandbox.api import Goal

HEIGHT = 240
_TOP, _BOTTOM = 12, 214
"""Between these, in pixels, scores are drawn; below are the experiments' numbers."""
_LEFT, _RIGHT = 1.0, 99.0
"""Between these, in per cent."""
_CELL = 3
"""Of dots that would lie closer to each other than this, in pixels, one is drawn."""
_CELLS_ACROSS = 300
_BEYOND = 0.6
"""How much further than the gain so far scores may be worse and still be in the picture."""


class Point(Struct, frozen=True, kw_only=True):
    """An experiment with a score."""

    number: int
    score: float
    kept: bool


class Dot(Struct, frozen=True, kw_only=True):
    """Where an experiment is drawn. `off`: it is worse than the picture shows."""

    number: int
    score: float
    kept: bool
    off: bool
    x: str
    y: str


class Line(Struct, frozen=True, kw_only=True):
    """A straight line."""

    x1: str
    y1: str
    x2: str
    y2: str


class Tick(Struct, frozen=True, kw_only=True):
    """A label of an axis. `anchor`: which end of the text is there, in SVG's words."""

    at: str
    text: str
    anchor: str = "middle"


class Chart(Struct, frozen=True, kw_only=True):
    """All that is drawn."""

    dots: list[Dot]
    steps: list[Line]
    across: list[Tick]
    up: list[Tick]
    off: int
    """How many are worse than the picture shows."""


def draw(points: Sequence[Point], goal: Goal, last: int) -> Chart | None:
    """The chart of scored experiments by number, up to `last`; None: there is nothing to draw."""
    points = [point for point in points if math.isfinite(point.score)]
    if not points:
        return None
    better = -1.0 if goal is Goal.minimize else 1.0
    low, high = _bounds(points, better)
    ticks = _ticks(low, high, 5)
    low, high = min(low, ticks[0]), max(high, ticks[-1])

    def x(number: int) -> float:
        return _LEFT + (_RIGHT - _LEFT) * (number / last if last else 0.5)

    def y(score: float) -> float:
        share = (score - low) / (high - low)
        return _BOTTOM - (_BOTTOM - _TOP) * max(0.0, min(1.0, share))

    dots = [
        Dot(
            number=point.number,
            score=point.score,
            kept=point.kept,
            off=not low <= point.score <= high,
            x=_percent(x(point.number)),
            y=_pixels(y(point.score)),
        )
        for point in points
    ]
    kept = [(x(point.number), y(point.score)) for point in points if point.kept]
    return Chart(
        dots=list(_thinned(dots)),
        steps=list(_staircase(kept, x(last))),
        across=[
            Tick(
                at=_percent(x(round(number))),
                text=f"{number:.0f}",
                anchor="start" if number == 0 else "end" if x(round(number)) > 97 else "middle",
            )
            for number in _ticks(0, last, 6)
            if number <= last and number == round(number)
        ],
        up=[Tick(at=_pixels(y(score)), text=figure(score), anchor="end") for score in ticks],
        off=sum(dot.off for dot in dots),
    )


def _bounds(points: Sequence[Point], better: float) -> tuple[float, float]:
    """The lowest and highest score in the picture: what was kept, and what is not far from it.

    One candidate that diverged must not press all others into a line.
    """
    kept = [point.score for point in points if point.kept] or [points[0].score]
    best, first = max(kept, key=lambda score: better * score), kept[0]
    gained = abs(best - first)
    near = gained or _spread(points) or abs(first) * 0.1 or 1.0
    worst_shown = min(kept, key=lambda score: better * score) - better * near * _BEYOND
    inside = [p.score for p in points if better * p.score >= better * worst_shown]
    low, high = min(inside), max(inside)
    if low == high:
        low, high = low - near / 2, high + near / 2
    if not math.isfinite(high - low):  # scores of 1e308
        return -1.0, 1.0
    if high - low < 1e-12 * max(abs(low), abs(high)):
        low, high = low - abs(low) * 1e-9, high + abs(high) * 1e-9
    return low, high


def _spread(points: Sequence[Point]) -> float:
    """Between the quarter and the three quarters of the scores."""
    scores = sorted(point.score for point in points)
    return scores[3 * len(scores) // 4] - scores[len(scores) // 4]


def _ticks(low: float, high: float, about: int) -> list[float]:
    """Round numbers between two, roughly so many; at least one."""
    if high <= low:
        return [low]
    raw = (high - low) / about
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(unit * n for n in (1, 2, 5, 10) if unit * n >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    count = math.floor(high / step + 1e-9) - first
    return [(first + n) * step for n in range(max(0, count) + 1)]


def _staircase(kept: Sequence[tuple[float, float]], end: float) -> Iterator[Line]:
    """Across to the next kept one, then up or down to it; at last to the end."""
    for (x, y), (next_x, next_y) in itertools.pairwise(kept):
        yield _line(x, y, next_x, y)
        yield _line(next_x, y, next_x, next_y)
    if kept:
        x, y = kept[-1]
        yield _line(x, y, end, y)


def _line(x1: float, y1: float, x2: float, y2: float) -> Line:
    return Line(x1=_percent(x1), y1=_pixels(y1), x2=_percent(x2), y2=_pixels(y2))


def _thinned(dots: Sequence[Dot]) -> Iterator[Dot]:
    """Thousands of dots have the look of hundreds; kept ones are all drawn, and on top."""
    taken = set()
    for dot in dots:
        cell = (float(dot.x[:-1]) * _CELLS_ACROSS // 100, float(dot.y) // _CELL)
        if not dot.kept and cell not in taken:
            taken.add(cell)
            yield dot
    yield from (dot for dot in dots if dot.kept)


def _percent(value: float) -> str:
    return f"{value:.2f}%"


def _pixels(value: float) -> str:
    return f"{value:.1f}"
