"""Trading: what is told of a later day, whichever way, is not in a question; costs are paid.

Attacks on what a question or an answer contains run against the real scorer and its real checks in
this process, on many splits: whether such an attack gains is a matter of luck on one.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from sandbox.api import Outcome, Task
from sandbox.service import Service
from tests.support.attacks import attack
from tests.support.candidates import Bench
from tests.support.changed_tasks import preparing, scores
from tests.support.market import TRADING, archive, made_up
from tests.support.tasks import load_module

pytestmark = [pytest.mark.docker, pytest.mark.attack]

TASK = load_module(TRADING / "prepare.py")
SALTS = 10
DAYS = 1000
GAINED = 8.0
"""A Sharpe ratio that only knowing the next day gives; luck gives 1 on this many days."""
ASK = 'predictor.ask(today, Array("f8", (len(INDICES),), -1, 1))'

SENT_AHEAD = {
    f"for day, today in enumerate(moves[:-1]):\n            positions[day] = {ASK}": (
        f"positions[:] = {ASK.replace('ask(today', 'ask_all(moves[:-1]')}"
    )
}
PARTS_OF_THE_TOP = {
    ASK: ASK.replace("today", "levels[day]"),
    "with predictors.open() as predictor:": (
        "before = np.cumsum(moves[:, :, CLOSE:], axis=0) - moves[:, :, CLOSE:]\n"
        "    levels = np.exp(moves + before)\n"
        "    levels /= levels[:-1, :, CLOSE:].max(axis=0)\n"
        "    with predictors.open() as predictor:"
    ),
}
NUMBERED = {
    "disguised = disguise(moves[days], rng)": (
        "disguised = disguise(moves[days], rng)\n"
        '        np.save(getattr(to, name) / "first.npy", days.start)'
    ),
    ASK: ASK.replace("today,", '{"row": int(np.load(data / "first.npy")) + day, "today": today},'),
}
SAME_DAYS = {"name: slice(end - n, end)": "name: slice(0, n)"}
NO_COSTS = {"COST = 2e-4": "COST = 0.0"}
WHAT_IS_NO_NUMBER_LEFT_OUT = {
    ASK: "unchecked(predictor, today)",
    "def earned(": (
        "def unchecked(predictor, today):\n"
        "    class Unchecked(Array):\n"
        "        def unpack(self, data):\n"
        "            return np.frombuffer(data).reshape(self.shape)\n\n"
        '    return predictor.ask(today, Unchecked("f8", (len(INDICES),)))\n\n\n'
        "def earned("
    ),
    "return (positions * np.expm1(closes) - costs).mean(axis=1)": (
        "return np.nan_to_num(positions * np.expm1(closes) - np.nan_to_num(costs)).mean(axis=1)"
    ),
}


# ---- the engine: whatever is sent, and whatever is kept ---------------------------------------


@pytest.fixture
def prepared_task(service: Service) -> Iterator[Callable[..., Task]]:
    """Prepares the task with made-up days, perhaps changed; it is forgotten at the end."""
    with preparing(service, TRADING, lambda changes: made_up(DAYS, changes=changes)) as prepare:
        yield prepare


@pytest.mark.claim("no-future-in-a-question")
@pytest.mark.slow
def test_tomorrow_is_not_sent_before_the_answer(
    bench: Bench, prepared_task: Callable[..., Task]
) -> None:
    """Who bets on the next question alone never bets."""
    result = bench.run(attack("tomorrow_asked_ahead"), prepared_task())
    assert (result.outcome, result.score) == (Outcome.scored, 0)


@pytest.mark.slow
def test_control_days_that_are_sent_ahead_are_known(
    bench: Bench, prepared_task: Callable[..., Task]
) -> None:
    """With `ask_all` in the place of `ask` nearly every bet is right."""
    result = bench.run(attack("tomorrow_asked_ahead"), prepared_task(SENT_AHEAD))
    assert result.score is not None
    assert result.score > GAINED


@pytest.mark.slow
def test_no_day_of_the_rehearsal_comes_again(
    bench: Bench, prepared_task: Callable[..., Task]
) -> None:
    """Who bets on days that are like the rehearsal's has next to nothing to bet on."""
    result = bench.run(attack("known_history", WAY="rehearsal"), prepared_task())
    assert result.score is not None
    assert result.rehearsal_score is not None
    assert abs(result.score) < GAINED / 4
    assert result.rehearsal_score > GAINED


@pytest.mark.slow
def test_control_the_same_days_in_each_split_are_known(
    bench: Bench, prepared_task: Callable[..., Task]
) -> None:
    """Where the held-out days begin with those of the rehearsal, the same bets gain on both."""
    result = bench.run(attack("known_history", WAY="rehearsal"), prepared_task(SAME_DAYS))
    assert result.score is not None
    assert result.score > GAINED / 2


@pytest.mark.slow
@pytest.mark.claim("answers-are-checked")
def test_what_is_no_number_is_no_position(bench: Bench, prepared_task: Callable[..., Task]) -> None:
    """A change of a position that nobody can tell, and so nobody pays for, is `invalid`."""
    result = bench.run(attack("costs_dodged", WAY="skip"), prepared_task())
    assert (result.outcome, result.score) == (Outcome.invalid, None)


# ---- the scorer: whatever is in a question or an answer ---------------------------------------


def mean_score(folder: Path, candidate: str, prepare: str) -> float:
    """Of a candidate on the held-out days of many salts."""
    return float(np.mean(scores(folder, candidate, prepare, SALTS)))


BUBBLE = (0.25, -0.25)
"""What rises in the first half of all days, and falls in the second."""


@pytest.mark.claim("no-future-in-a-question")
def test_a_top_is_not_told_when_it_is_reached(tmp_path: Path) -> None:
    """Of moves from close to close nobody can tell which one will have led to the top."""
    prepare = made_up(DAYS, drift=BUBBLE)
    assert mean_score(tmp_path, attack("top_in_the_question"), prepare) < 1


def test_control_parts_of_the_highest_price_tell_the_top(tmp_path: Path) -> None:
    """With prices as parts of the period's highest, which is how charts are drawn, it is known."""
    prepare = made_up(DAYS, drift=BUBBLE, changes=PARTS_OF_THE_TOP)
    assert mean_score(tmp_path, attack("top_in_the_question"), prepare) > 3


def history() -> list[int]:
    """What who knows the made-up days by heart can carry: two moves a day, in 1e-4."""
    closes = np.log(TASK.read(archive(DAYS, 0.01, (0, 0), 0)))[:, :, TASK.CLOSE]
    return [int(move) for move in (1e4 * np.diff(closes, axis=0)).round().ravel()]


def test_the_place_of_a_period_is_not_told(tmp_path: Path) -> None:
    """Who knows all days, and counts them from where the period may begin, gains little."""
    train, rehearsal, *later = TASK.SHARES.values()
    first = round(DAYS * (train + rehearsal + (1 - train - rehearsal - sum(later)) / 2))
    known = attack("known_history", WAY="row", HISTORY=history(), FIRST=first)
    assert mean_score(tmp_path, known, made_up(DAYS)) < GAINED / 2


def test_control_the_number_of_the_day_tells_it(tmp_path: Path) -> None:
    """With the row's number in each question every bet is right."""
    known = attack("known_history", WAY="row", HISTORY=history())
    assert mean_score(tmp_path, known, made_up(DAYS, changes=NUMBERED)) > GAINED


def test_leftover_a_history_known_by_heart(tmp_path: Path) -> None:
    """What no disguise can help: the whole history beside ten days of questions tells the place.

    SECURITY.md lists it among what is not bought. It is here so that nobody believes otherwise.
    """
    known = attack("known_history", WAY="heart", HISTORY=history())
    assert mean_score(tmp_path, known, made_up(DAYS)) > GAINED


SMALL = {"ordinary": 6e-4, "reversal": 0.4}
"""Days that take back a part of the last one, but less than a trade costs."""


def test_each_change_is_paid_for(tmp_path: Path) -> None:
    """Turning round within the bounds each day costs more than such days give."""
    assert mean_score(tmp_path, attack("costs_dodged"), made_up(DAYS, **SMALL)) < -1


def test_control_without_costs_turning_round_gains(tmp_path: Path) -> None:
    """The same bets, where a trade costs nothing."""
    prepare = made_up(DAYS, **SMALL, changes=NO_COSTS)
    assert mean_score(tmp_path, attack("costs_dodged"), prepare) > 1


def test_control_where_no_number_is_left_out_costs_are_dodged(tmp_path: Path) -> None:
    """Sums that leave out NaN, as data frames do, forget the costs on both sides of it."""
    dodging = attack("costs_dodged", WAY="skip")
    prepare = made_up(DAYS, **SMALL, changes=WHAT_IS_NO_NUMBER_LEFT_OUT)
    assert mean_score(tmp_path, dodging, prepare) > 1
