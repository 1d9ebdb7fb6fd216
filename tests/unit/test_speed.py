"""tasks/speed: what is asked, that the scorer's distances are right, and what a ratio is worth."""

import json
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from controller.agents.marks import marked
from sandbox.tasks.candidate import check_candidate
from sandbox.tasks.settings import parse_program
from sealed_task import Folders, Invalid, Predictors
from tests.support.predictors import Loopback
from tests.support.tasks import ROOT, load_module, prepared

SPEED = ROOT / "tasks" / "speed"
PREPARE = load_module(SPEED / "prepare.py")
TRAIN = load_module(SPEED / "train.py")
BETTER = load_module(ROOT / "tests" / "candidates" / "speed.py")
SPLITS = ("train", "rehearsal", "held_out", "vault")
KINDS = ("words", "sentences", "reads")

Pair = tuple[str, str]

texts = st.text("ab", max_size=9) | st.text("ACGT", max_size=90) | st.text(max_size=12)
ascii_texts = st.text("ACGT", max_size=140) | st.text(st.characters(codec="ascii"), max_size=30)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    return prepared(PREPARE, tmp_path_factory.mktemp("speed"), salt=1)


def by_definition(first: str, second: str) -> int:
    """The distance as it is defined: nothing in common with a table of rows."""

    @cache
    def rest(start: int, other: int) -> int:
        if start == len(first) or other == len(second):
            return len(first) - start + len(second) - other
        if first[start] == second[other]:
            return rest(start + 1, other + 1)
        return 1 + min(rest(start + 1, other), rest(start, other + 1), rest(start + 1, other + 1))

    return rest(0, 0)


def asked(
    folder: Path,
    answer: Callable[[Any], Any],
    baseline_seconds: float = Loopback.TIMED_SECONDS,
    salt: int = 3,
) -> tuple[Any, Loopback]:
    """The score of a candidate, and what it was asked; the baseline answers rightly."""
    loopback = Loopback(answer, PREPARE.distances, baseline_seconds)
    predictors = Predictors(loopback.requests, loopback.replies)
    predictors.rng = np.random.default_rng(salt)
    return PREPARE.score(folder, predictors), loopback


# ---- distances ---------------------------------------------------------------------------------


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=8))
def test_the_scorers_distances_are_right(pairs: list[Pair]) -> None:
    """Of any texts, empty ones and several lengths at once included."""
    assert PREPARE.distances(pairs).tolist() == [by_definition(*pair) for pair in pairs]


@pytest.mark.parametrize("cell", ["min", "if"])
@pytest.mark.parametrize("trim", ["no", "yes"])
@given(st.lists(st.tuples(texts, texts), max_size=4))
def test_the_baseline_is_right(cell: str, trim: str, pairs: list[Pair]) -> None:
    """With every value of its marks."""
    module = load_module(SPEED / "train.py")
    vars(module).update(CELL=cell, TRIM=trim)
    found = module.load(Path())(pairs)
    assert found.tolist() == [by_definition(*pair) for pair in pairs]
    assert found.dtype == np.int32


@given(st.lists(st.tuples(ascii_texts, ascii_texts), max_size=8))
def test_the_better_candidate_is_right(pairs: list[Pair]) -> None:
    """On both of its ways, at once."""
    assert BETTER.distances(pairs).tolist() == [by_definition(*pair) for pair in pairs]


@pytest.mark.parametrize("size", [63, 64, 65, 128, 400])
def test_the_better_candidate_is_right_where_words_end(size: int) -> None:
    """Texts as long as a machine's word, one less and one more."""
    rng = np.random.default_rng(size)
    long = "".join(rng.choice(list("ACGT"), size))
    pairs = [(long, PREPARE.edited(long, count, "ACGT", rng)) for count in range(12)]
    pairs += [(second, first) for first, second in pairs]
    assert np.array_equal(BETTER.distances(pairs), PREPARE.distances(pairs))


# ---- questions ---------------------------------------------------------------------------------


def test_the_splits_share_no_sentence(folders: Folders) -> None:
    """Nor does the manual as one finds it tell which split a sentence is in."""
    found = [json.loads((getattr(folders, name) / "questions.json").read_text()) for name in SPLITS]
    counts = Counter(sentence for split in found for sentence in split["sentences"])
    assert set(counts.values()) == {1}
    assert min(len(split["sentences"]) for split in found) > 200
    assert all(40 <= len(sentence) <= 160 for sentence in counts)
    first = {next(n for n, s in enumerate(found) if text in s["sentences"]) for text in counts}
    assert first == {0, 1, 2, 3}


def test_questions_are_as_the_program_says(folders: Folders) -> None:
    """Numbers of pairs, lengths, ASCII, and halves of the pairs that are alike and that are not."""
    _, loopback = asked(folders.rehearsal, PREPARE.distances)
    questions = loopback.questions
    kinds = {kind: questions[2 * n :: 6] for n, kind in enumerate(KINDS)}
    assert {len(pairs) - 2 for pairs in kinds["reads"]} == {6}
    assert all(1500 <= len(pairs) - 2 < 2500 for pairs in kinds["words"])
    assert all(15 <= len(pairs) - 2 < 25 for pairs in kinds["sentences"])
    for (_, _), (empty, text), (first, second) in (pairs[-3:] for pairs in questions):
        assert (empty, first) == ("", second) != ("", "")
        assert text
    for kind, asked_pairs in kinds.items():
        pairs = [pair for question in asked_pairs for pair in question]
        assert all(text.isascii() and len(text) <= 400 for pair in pairs for text in pair)
        near = [distance <= 0.45 * len(second) for (first, second), distance in
                zip(pairs, PREPARE.distances(pairs), strict=True)]  # fmt: skip
        assert 0.3 < np.mean(near) < 0.75, kind


def test_no_question_comes_twice(folders: Folders) -> None:
    """Each is put to both and never again: the next score of the same split has others."""
    questions = []
    for salt in (3, 4):
        _, loopback = asked(folders.rehearsal, PREPARE.distances, salt=salt)
        assert loopback.questions[::2] == loopback.questions[1::2]
        questions += [json.dumps(pairs) for pairs in loopback.questions[::2]]
    assert len(set(questions)) == len(questions) == 2 * 3 * (1 + PREPARE.ROUNDS)


def test_few_pairs_are_of_texts_that_were_there_before(folders: Folders) -> None:
    """So a table of all pairs of a vocabulary would have few of the answers."""
    split = json.loads((folders.held_out / "questions.json").read_text())
    makers = PREPARE.question_makers(split["sentences"], np.random.default_rng(2))
    known = {*" ".join(split["sentences"]).lower().split(), *split["sentences"]}
    for name in ("words", "sentences"):
        pairs = [pair for _ in range(5) for pair in makers[name]()]
        assert np.mean([first in known for first, _ in pairs]) < 0.1, name


# ---- the score ---------------------------------------------------------------------------------


def test_a_doubling_is_worth_one(folders: Folders) -> None:
    """0 if both take as long; 3 if the baseline takes eight times as long."""
    for factor, value in ((1, 0.0), (8, 3.0), (0.5, -1.0)):
        score, _ = asked(folders.rehearsal, PREPARE.distances, factor * Loopback.TIMED_SECONDS)
        assert score.values.tolist() == [value] * 3 * PREPARE.ROUNDS


def test_openings_are_blocks_and_kinds_are_slices(folders: Folders) -> None:
    """A block has a value of each kind and round; a slice the values of its kind."""
    score, loopback = asked(folders.held_out, PREPARE.distances)
    assert loopback.events.count("open") == loopback.events.count("open baseline") == 4
    assert score.block.tolist() == [n // 12 for n in range(48)]
    assert {name: np.flatnonzero(mask)[:2].tolist() for name, mask in score.slices.items()} == {
        "words": [0, 3], "sentences": [1, 4], "reads": [2, 5]
    }  # fmt: skip
    rehearsal, _ = asked(folders.rehearsal, PREPARE.distances)
    assert rehearsal.values.size == 12


def test_every_question_is_timed_and_the_order_is_random(folders: Folders) -> None:
    """Neither side is always the first to be asked, and nothing is asked outside of the clock."""
    order: list[str] = []

    def noted(name: str) -> Callable[[Any], NDArray[Any]]:
        def answer(pairs: Any) -> NDArray[Any]:
            order.append(name)
            return np.asarray(PREPARE.distances(pairs))

        return answer

    for _ in range(2):
        loopback = Loopback(noted("candidate"), noted("baseline"))
        PREPARE.score(folders.rehearsal, Predictors(loopback.requests, loopback.replies))
        assert "ask" not in loopback.events
    pairs = list(zip(order[::2], order[1::2], strict=True))
    assert all(len(set(pair)) == 2 for pair in pairs)
    assert 0.05 < np.mean([pair[0] == "candidate" for pair in pairs]) < 0.95


@pytest.mark.parametrize("counted", [True, False])
def test_one_wrong_distance_is_invalid(folders: Folders, counted: bool) -> None:
    """By one, in one pair of one question, of the uncounted ones too."""
    wrong_at, number = (7 if counted else 0), 0

    def answer(pairs: Any) -> NDArray[Any]:
        nonlocal number
        found = np.array(PREPARE.distances(pairs))
        if number == wrong_at:
            found[-1] += 1
        number += 1
        return found

    with pytest.raises(Invalid, match=r"1 of \d+ distances are wrong"):
        asked(folders.rehearsal, answer)


@pytest.mark.parametrize(
    "answer",
    [
        lambda pairs: np.zeros(len(pairs) + 1, dtype=np.int32),
        lambda pairs: PREPARE.distances(pairs) + 0.25,
        lambda pairs: np.full(len(pairs), -1, dtype=np.int32),
        lambda pairs: (distance for distance in PREPARE.distances(pairs)),
    ],
    ids=["longer", "fractions", "negative", "generator"],
)
def test_what_is_no_list_of_distances_is_refused(
    folders: Folders, answer: Callable[[Any], Any]
) -> None:
    """One whole number a pair, from 0 to the length of the longest text."""
    with pytest.raises(Invalid):
        asked(folders.rehearsal, answer)


def test_settings_and_marks() -> None:
    """Higher is better, both files are candidates, and the search has something to change."""
    settings, _ = parse_program((SPEED / "program.md").read_text())
    assert (settings.goal, settings.metric) == ("maximize", "log2 speedup")
    names = {constant.name for constant in marked((SPEED / "train.py").read_text()).constants}
    assert names == {"CELL", "TRIM"}
    check_candidate((ROOT / "tests" / "candidates" / "speed.py").read_text())
