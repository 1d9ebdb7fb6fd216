"""Marketing: what was not shown is not told, in no file, context, order or batch; sums are sums.

Attacks on what a question or an answer contains run against the real scorer and its real checks in
this process, on several splits: whether such an attack gains on one is also a matter of luck.
"""

import base64
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from sandbox.api import Outcome, Task
from sandbox.service import Service
from sandbox.tasks.candidate import check_candidate
from tests.support.attacks import attack, lines
from tests.support.candidates import Bench
from tests.support.changed_tasks import NONE, Changes, preparing, scores
from tests.support.shop import MARKETING, made_up
from tests.support.tasks import load_module

pytestmark = [pytest.mark.docker, pytest.mark.attack]

CUSTOMERS = 400
SALTS = 5
GAINED = 100.0
"""NT$ a hundred visits that no luck gives: baskets are known, or nothing is."""

CHECK = "if np.abs(sums - 1).max() > SUM_TOLERANCE:"
RANGE = "(len(chosen), OFFERS), 0, 1)"
DIVIDED = "(answer / sums * profits)"
ORDER = "order = predictors.rng.permutation(len(contexts))"
LEFT_BESIDE = {"        if folder in (to.held_out, to.vault):\n": "", "        else:\n": ""} | {
    '            np.save(folder / "profits.npy"': '        np.save(folder / "profits.npy"',
    "            write_log(": (
        "        if folder in (to.train, to.rehearsal):\n            write_log("
    ),
}
NO_CHECK = {CHECK: "if False:", DIVIDED: "(answer * profits)"}
NO_RANGE = {RANGE: "(len(chosen), OFFERS))"}
NO_DIVISION = {DIVIDED: "(answer * profits)"}
SORTED = {ORDER: "order = profits.argmax(axis=1).argsort()"}
UP_TO_EACH_VISIT = {
    "return known[visits[0, to_decide]], visits[0, to_decide], profits[to_decide]": (
        "buyer, profits = visits[0, to_decide], profits[to_decide]\n"
        "    contexts = known[buyer]\n"
        "    for row in np.flatnonzero(buyer[1:] == buyer[:-1]) + 1:\n"
        "        contexts[row] = contexts[row - 1]\n"
        "        contexts[row, VISITS] += 1\n"
        "        contexts[row, BOUGHT:] += profits[row - 1] != 0\n"
        "    return contexts, buyer, profits"
    )
}
BY_THE_FILE_ALONE = {
    "CARD_SHOWN = 0.5": "CARD_SHOWN = 1.0",
    "1), 1)).round()": "1), 1))",
}


# ---- the engine: whatever lies where the trainer reads, and whatever is answered ---------------


@pytest.fixture
def prepared_task(service: Service) -> Iterator[Callable[..., Task]]:
    """Prepares the task with made-up receipts, perhaps changed; it is forgotten at the end."""
    with preparing(service, MARKETING, lambda changes: made_up(CUSTOMERS, changes)) as prepare:
        yield prepare


@pytest.mark.claim("held-out-unreachable")
@pytest.mark.slow
def test_what_was_not_shown_is_nowhere_to_be_found(
    bench: Bench, prepared_task: Callable[..., Task]
) -> None:
    """No file that a trainer reads has the profits of all offers."""
    result = bench.run(attack("unshown_profits"), prepared_task())
    assert result.outcome is Outcome.scored, result.reason
    assert lines(result, "found") == [""]


@pytest.mark.slow
def test_control_profits_beside_the_log_are_found(
    bench: Bench, prepared_task: Callable[..., Task]
) -> None:
    """Where `prepare` leaves them beside the log, the same attack learns from them."""
    result = bench.run(attack("unshown_profits"), prepared_task(LEFT_BESIDE))
    assert result.outcome is Outcome.scored, result.reason
    assert lines(result, "found") == ["train/profits rehearsal/profits"]


@pytest.mark.slow
@pytest.mark.claim("answers-are-checked")
@pytest.mark.parametrize("way", ["ones", "short"])
def test_what_is_no_distribution_is_invalid(
    bench: Bench, prepared_task: Callable[..., Task], way: str
) -> None:
    """All offers at once, or some with less than no chance, have no score."""
    result = bench.run(attack("unsummed_chances", WAY=way), prepared_task())
    assert (result.outcome, result.score) == (Outcome.invalid, None)


# ---- the scorer: whatever is in a question, an answer or the log -------------------------------


def scores_of(folder: Path, candidate: str, changes: Changes = NONE) -> list[float]:
    """Of a candidate on the held-out customers of several salts."""
    return scores(folder, candidate, made_up(CUSTOMERS, changes), SALTS)


def gain(folder: Path, attacking: str, honest: str, changes: Changes = NONE) -> float:
    """How much more the first earns than the second where the task is so changed, in the mean."""
    one = scores_of(folder / "1", attacking, changes)
    other = scores_of(folder / "2", honest, changes)
    return float(np.mean(one) - np.mean(other))


HONEST = attack("unsummed_chances", WAY="honest")


def test_control_without_the_check_all_offers_are_paid_for(tmp_path: Path) -> None:
    """A scorer that believes that chances are chances pays for eight offers instead of one."""
    assert gain(tmp_path, attack("unsummed_chances", WAY="ones"), HONEST, NO_CHECK) > 5 * GAINED


def test_control_without_the_range_an_offer_is_sold_short(tmp_path: Path) -> None:
    """Sums of 1 alone do not bound an answer: here what sells is shown a hundred times."""
    assert gain(tmp_path, attack("unsummed_chances", WAY="short"), HONEST, NO_RANGE) > 5 * GAINED


@pytest.mark.claim("answers-are-checked")
def test_the_tolerance_of_a_sum_wins_nothing(tmp_path: Path) -> None:
    """As far over 1 as is allowed, and yet not a cent more than with sums of 1."""
    over = attack("unsummed_chances", WAY="tolerance")
    assert scores_of(tmp_path / "1", over) == pytest.approx(
        scores_of(tmp_path / "2", HONEST), rel=1e-12
    )


def test_control_without_the_division_the_tolerance_wins(tmp_path: Path) -> None:
    """Little, but for nothing."""
    over = attack("unsummed_chances", WAY="tolerance")
    assert gain(tmp_path, over, HONEST, NO_DIVISION) > 1e-5


def test_who_is_asked_together_has_nothing_in_common(tmp_path: Path) -> None:
    """What all customers of a question bought is a worse guide than what each of them bought."""
    assert gain(tmp_path, attack("batch_mates"), attack("batch_mates", OTHERS=0.0)) < 0


def test_control_customers_in_the_order_of_their_baskets_tell(tmp_path: Path) -> None:
    """Asked in the order of what they buy, the same attack knows what a question is about."""
    attacking, honest = attack("batch_mates"), attack("batch_mates", OTHERS=0.0)
    assert gain(tmp_path, attacking, honest, SORTED) > GAINED


@pytest.mark.claim("no-future-in-a-question")
def test_a_later_visit_tells_nothing_of_an_earlier_one(tmp_path: Path) -> None:
    """Contexts of a customer do not differ, so no basket lies between two of them."""
    attacking, honest = attack("later_visits"), attack("later_visits", FIND=False)
    assert gain(tmp_path, attacking, honest) == 0


def test_control_contexts_up_to_each_visit_tell_the_one_before(tmp_path: Path) -> None:
    """With all that was bought before each visit, two contexts have a basket between them."""
    attacking, honest = attack("later_visits"), attack("later_visits", FIND=False)
    assert gain(tmp_path, attacking, honest, UP_TO_EACH_VISIT) > GAINED


def carrying(folder: Path, customers: int) -> str:
    """The attack with what the file alone makes of so many customers, and their best offers."""
    (folder / "file.py").write_text(made_up(CUSTOMERS, BY_THE_FILE_ALONE))
    task = load_module(folder / "file.py")
    rng = np.random.default_rng(0)
    contexts, buyers, profits = task.visits_of(task.read(task.download()), rng)
    rows = [
        [*contexts[buyers == buyer][0], profits[buyers == buyer].sum(axis=0).argmax()]
        for buyer in np.unique(buyers)[:customers]
    ]
    packed = zlib.compress(np.array(rows, dtype=np.float32).tobytes(), 9)
    return attack("carried_baskets", TABLE=base64.b64encode(packed).decode())


def test_a_public_file_is_a_poor_key_to_a_context(tmp_path: Path) -> None:
    """Who carries all baskets finds those alone of whom there is little to forget.

    What is left of such a gain no disguise takes away; `prepare.py` says so.
    """
    knowing, honest = carrying(tmp_path, CUSTOMERS), carrying(tmp_path, 0)
    check_candidate(knowing)
    assert gain(tmp_path, knowing, honest) < 2.5 * GAINED


def test_control_contexts_that_the_file_decides_are_keys(tmp_path: Path) -> None:
    """With all earlier visits and exact sales in a context, the carried baskets are found."""
    knowing, honest = carrying(tmp_path, CUSTOMERS), carrying(tmp_path, 0)
    check_candidate(knowing)
    assert gain(tmp_path, knowing, honest, BY_THE_FILE_ALONE) > 5 * GAINED
