"""The chart and the words of the page."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.web import words
from controller.web.chart import HEIGHT, Point, draw
from sandbox.api import Goal


def points(*scores: float, kept: tuple[int, ...] = (0,)) -> list[Point]:
    """Scores from the baseline on."""
    return [Point(number=n, score=score, kept=n in kept) for n, score in enumerate(scores)]


@given(
    st.lists(st.tuples(st.floats(), st.booleans()), min_size=1, max_size=30),
    st.sampled_from(Goal),
    st.integers(0, 5),
)
def test_any_scores_have_a_chart_within_its_frame(
    scores: list[tuple[float, bool]], goal: Goal, unfinished: int
) -> None:
    """Huge, tiny, equal, infinite and NaN: everything that is drawn has a place in the picture."""
    found = [Point(number=n, score=s, kept=k) for n, (s, k) in enumerate(scores)]
    chart = draw(found, goal, len(scores) - 1 + unfinished)
    finite = [point for point in found if math.isfinite(point.score)]
    assert (chart is None) == (not finite)
    if chart is None:
        return
    assert [dot.number for dot in chart.dots if dot.kept] == [p.number for p in finite if p.kept]
    for dot in chart.dots:
        assert 0 <= float(dot.x.removesuffix("%")) <= 100
        assert 0 <= float(dot.y) <= HEIGHT
    for line in chart.steps:
        for y in (line.y1, line.y2):
            assert 0 <= float(y) <= HEIGHT
    assert 1 <= len(chart.up) <= 12
    assert 1 <= len(chart.across) <= 12


def test_one_that_diverged_does_not_press_the_others_flat() -> None:
    """It is drawn at the edge, and counted."""
    chart = draw(points(0.5, 0.45, 0.52, 1e6, 0.4, kept=(0, 1, 4)), Goal.minimize, 4)
    assert chart is not None
    by_number = {dot.number: dot for dot in chart.dots}
    assert chart.off == 1
    assert by_number[3].off
    assert float(by_number[4].y) - float(by_number[0].y) > HEIGHT / 3


def test_better_is_where_the_goal_says() -> None:
    """Higher scores are higher, whichever way is better."""
    for goal in Goal:
        chart = draw(points(1.0, 2.0, kept=(0, 1)), goal, 1)
        assert chart is not None
        assert float(chart.dots[1].y) < float(chart.dots[0].y)


def test_thousands_of_dots_are_drawn_as_hundreds() -> None:
    """All kept ones are among them."""
    many = [Point(number=n, score=n % 37 / 37, kept=n % 1000 == 0) for n in range(20_000)]
    chart = draw(many, Goal.maximize, 20_000)
    assert chart is not None
    assert len(chart.dots) < 13_000
    assert sum(dot.kept for dot in chart.dots) == 20


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.120588, 0.0072, "+0.1206"),
        (-0.013402, 0.0034, "−0.0134"),
        (0.0, 0.01, "+0.000"),
        (12.3456, 3.0, "+12.3"),
        (1234.5, 300.0, "+1234"),
        (0.25, None, "+0.25"),
        (0.25, 0.0, "+0.25"),
        (None, 0.1, "–"),
        (math.nan, 0.1, "–"),
        (1e-20, 1e-21, "+1e-20".replace("-", "−")),
    ],
)
def test_a_gain_has_no_more_digits_than_its_error_allows(
    value: float | None, error: float | None, text: str
) -> None:
    """Two digits of the standard error, and the gain to the same place."""
    assert words.gain(value, error) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (math.inf, "–"), (0.25, "0.25"), (-0.0, "0"), (-1e-7, "−1e−07")],
)
def test_figures_are_read_by_people(value: float | None, text: str) -> None:
    """Six digits, a true minus, and a dash for what is no number."""
    assert words.figure(value) == text


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(0.25, 6, "0.250000"), (131072.0, 6, "131072"), (0.003, 2, "0.0030"), (None, 6, "–")],
)
def test_figures_of_a_column_keep_their_zeros(value: float | None, digits: int, text: str) -> None:
    """So that their digits stand below each other."""
    assert words.padded(value, digits) == text


def test_percent_has_few_digits() -> None:
    """More of a share, fewer digits of it."""
    shares = [words.percent(value) for value in (1234.5, 42.86, 4.286, -0.5, None)]
    assert shares == ["1234 %", "42.9 %", "4.29 %", "−0.50 %", "–"]


def test_times_and_sizes_are_said_in_words() -> None:
    """Of the ledger's stamps, and of what is none."""
    assert words.moment("2026-11-23T03:04:05.678Z") == "23 Nov 2026, 03:04 UTC"
    assert words.moment("nonsense") == words.moment(None) == "–"
    assert words.duration(99.0) == "99.0 s"
    assert words.duration(600) == "10 min"
    assert words.duration(7200) == "2.0 h"
    assert [words.size(n) for n in (None, 5, 2048, 3 * 2**20, 2**31)] == [
        *("–", "5 bytes", "2 KiB", "3 MiB", "2 GiB"),
    ]
    assert words.seconds_until("2000-01-01T00:00:00Z") == 0
