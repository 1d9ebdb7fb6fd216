"""Edit distance: fresh pairs of texts, and how much faster they are answered than by the baseline.

Each split is one file, `questions.json`: sentences of the Python manual, and how often a pair of
fresh predictors is opened. Texts are no secret, for questions are made of them by fresh edits.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from sealed_task import Array, Folders, Invalid, Predictor, Predictors, Score

OPENINGS = {"train": 0, "rehearsal": 1, "held_out": 4, "vault": 4}
"""Pairs of fresh predictors, for two processes with the same code are never quite equally fast."""
ROUNDS = 4
"""Timed questions of each kind that each pair is asked."""

BASES = "ACGT"
LETTERS = "abcdefghijklmnopqrstuvwxyz"

Pairs = list[tuple[str, str]]


def prepare(to: Folders, rng: np.random.Generator) -> None:
    """Deal the manual's sentences, which come with Python, to the four splits."""
    from pydoc_data.topics import topics

    found = sentences("\n\n".join(topics[name] for name in sorted(topics)))
    shares = np.array_split(rng.permutation(len(found)), len(OPENINGS))
    for (name, openings), chosen in zip(OPENINGS.items(), shares):
        split = {"openings": openings, "sentences": [found[number] for number in chosen]}
        (getattr(to, name) / "questions.json").write_text(json.dumps(split, indent=0) + "\n")


def sentences(manual: str) -> list[str]:
    """Sentences of 40 to 160 letters and plain punctuation, sorted."""
    found = set()
    for paragraph in re.split(r"\n\s*\n", manual):
        flat = " ".join(re.sub(r"[*`\"]", "", paragraph).split())
        found.update(re.findall(r"(?:(?<=[.:;] )|^)[A-Z][A-Za-z ,'()-]{38,158}\.", flat))
    return sorted(found)


# ---- the score --------------------------------------------------------------------------------


def score(data: Path, predictors: Predictors) -> Score:
    """log2 of the baseline's seconds over the candidate's, one value a round, kinds in turn.

    Both are asked the same question, in random order, while the other one is frozen. Each
    pair of predictors first gets one question of each kind that is not counted.
    """
    split = json.loads((data / "questions.json").read_text())
    kinds = question_makers(split["sentences"], predictors.rng)
    gains: list[float] = []
    for _ in range(split["openings"]):
        with predictors.open() as candidate, predictors.open(baseline=True) as baseline:
            for make in kinds.values():
                compare(candidate, baseline, make(), predictors.rng)
            for _ in range(ROUNDS):
                for make in kinds.values():
                    gains.append(compare(candidate, baseline, make(), predictors.rng))
    places = np.arange(len(gains))
    return Score(
        np.array(gains),
        block=places // (ROUNDS * len(kinds)),
        slices={name: places % len(kinds) == number for number, name in enumerate(kinds)},
    )


def compare(
    candidate: Predictor, baseline: Predictor, pairs: Pairs, rng: np.random.Generator
) -> float:
    """log2 speedup of one question. Raises `Invalid` if one of the candidate's numbers is wrong.

    What is timed ends when the last byte of the answer is here, so nothing of it can come later.
    """
    expect = Array("i4", (len(pairs),), 0, max(len(text) for pair in pairs for text in pair))
    answers, seconds = {}, {}
    for new in rng.permutation([True, False]):
        predictor = candidate if new else baseline
        answers[new], seconds[new] = predictor.ask_timed([list(pair) for pair in pairs], expect)
    check(answers[True], distances(pairs))
    return float(np.log2(seconds[False] / seconds[True]))


def check(answer: np.ndarray, right: np.ndarray) -> None:
    """Raise `Invalid` unless every number of the answer is right."""
    wrong = np.flatnonzero(answer != right)
    if wrong.size:
        raise Invalid(f"{wrong.size} of {len(right)} distances are wrong, the first at {wrong[0]}")


def distances(pairs: Pairs) -> np.ndarray:
    """Edit distances, int (pairs,), for the whole list at once: one row of all tables a step.

    A step takes from above and from the diagonal; what comes from the left, one more a column,
    is a running minimum over the row less its column numbers.
    """
    lengths = np.array([[len(text) for text in pair] for pair in pairs])
    height, width = lengths.max(axis=0)
    first, second = (
        np.array(texts, dtype=f"U{size}").view(np.uint32).reshape(len(pairs), -1)
        for texts, size in zip(zip(*pairs), (height, width))
    )
    columns = np.arange(width + 1)
    row = np.tile(columns, (len(pairs), 1))
    found = row[np.arange(len(pairs)), lengths[:, 1]]
    for number in range(height):
        diagonal = row[:, :-1] + (second != first[:, number, None])
        row = np.column_stack((row[:, :1] + 1, np.minimum(row[:, 1:] + 1, diagonal)))
        row = np.minimum.accumulate(row - columns, axis=1) + columns
        ends = lengths[:, 0] == number + 1
        found[ends] = row[ends, lengths[ends, 1]]
    return found


# ---- the questions ----------------------------------------------------------------------------


def question_makers(text: list[str], rng: np.random.Generator) -> dict[str, Callable[[], Pairs]]:
    """What makes a question of each kind; no two are alike, and each takes about as long.

    In half of the pairs the second text is what the first was before it was edited. The last two
    are such as a fast way may forget: with an empty text, and of two equal ones.
    """
    words = sorted(set(re.findall(r"[a-z]{4,}", " ".join(text).lower())))

    def edited_pairs(originals: list[str], others: list[str], most: float, letters: str) -> Pairs:
        pairs = []
        for original, other in zip(originals, others):
            count = 1 + int(most * len(original) * rng.random())
            kept = original if rng.random() < 0.5 else other
            pairs.append((edited(original, count, letters, rng), kept))
        return [*pairs, ("", others[0]), (others[0], others[0])]

    def drawn(source: list[str], low: int, high: int) -> Pairs:
        count = rng.integers(low, high)
        originals, others = ([str(t) for t in rng.choice(source, count)] for _ in range(2))
        return edited_pairs(originals, others, 0.3, LETTERS)

    def reads() -> Pairs:
        originals, others = (
            ["".join(rng.choice(list(BASES), rng.integers(120, 240))) for _ in range(6)]
            for _ in range(2)
        )
        return edited_pairs(originals, others, 0.15, BASES)

    return {
        "words": lambda: drawn(words, 1500, 2500),
        "sentences": lambda: drawn(text, 15, 25),
        "reads": reads,
    }


def edited(text: str, count: int, letters: str, rng: np.random.Generator) -> str:
    """The text after `count` insertions, deletions and replacements at random places."""
    for _ in range(count):
        place = int(rng.integers(len(text) + 1))
        removed, added = ((0, 1), (1, 0), (1, 1))[rng.integers(3)]
        letter = letters[rng.integers(len(letters))] if added else ""
        text = text[:place] + letter + text[place + removed :]
    return text
