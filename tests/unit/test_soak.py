"""What a soak counts is found where it is planted, and nothing is found where nothing is."""

import json
import random
from collections import Counter

import pytest
from msgspec.structs import replace
from rich.console import Console

from controller.decision import Decision
from controller.ledger import Experiment, State
from sandbox.api import Outcome
from tests.soak.candidates import candidate
from tests.soak.report import Report, of, tell
from tests.soak.storm import Soaked
from tests.soak.verdict import FLAT_KIB, Growth, Sample, Story, doubled, growth, held_more, lost


def experiment(number: int) -> Experiment:
    """A recorded one; the baseline is the champion."""
    return Experiment(
        number=number,
        state=State.recorded,
        agent="replay",
        hypothesis="",
        candidate_hash=f"hash {number}",
        parent=None if number == 0 else 0,
        proposed_at="",
        decision=Decision.discarded if number else Decision.kept,
        decision_reason="",
        gain=None,
        standard_error=None,
        message="",
        decided_at="",
        commit_id=f"commit {number}",
        trial_key=f"run-{number}-1",
        outcome=Outcome.scored,
        score=1.0,
        rehearsal_score=1.0,
        trial_reason="",
        log_bytes=0,
        seconds=1.0,
        wall_seconds=1.0,
        peak_memory_bytes=0,
        device="cpu",
    )


def record(number: int, seed: int = 7) -> dict[str, object]:
    """The sandbox's of the same."""
    result = {"score": 1.0, "outcome": "scored", "attempts": 1}
    return {"result": result, "candidate": f"hash {number}", "seed": seed}


NUMBERS = range(4)
STORY = Story(
    wanted=3,
    experiments=[experiment(number) for number in NUMBERS],
    records={f"run-{number}-1": record(number) for number in NUMBERS},
    commits={number: f"commit {number}" for number in NUMBERS},
    main="commit 0",
    seeds={"run-1-1": frozenset({7})},
)
WITHOUT_2 = {key: value for key, value in STORY.records.items() if key != "run-2-1"}
UNFINISHED = replace(experiment(3), state=State.decided)


def test_a_story_that_all_tell_alike_has_no_fault() -> None:
    """Nothing is lost, nothing doubled."""
    assert lost(STORY) == doubled(STORY) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"experiments": STORY.experiments[:-1]}, "experiment 3 is not recorded"),
        ({"experiments": [*STORY.experiments[:-1], UNFINISHED]}, "experiment 3 is not recorded"),
        ({"records": WITHOUT_2}, "experiment 2 has no result in the sandbox"),
        (
            {"records": WITHOUT_2 | {"run-2-1": record(9)}},
            "experiment 2 has another result in the sandbox",
        ),
        (
            {"commits": {0: "commit 0", 1: "another", 2: "commit 2", 3: "commit 3"}},
            "1 is not in git",
        ),
        ({"main": "commit 2"}, "main is not the champion"),
    ],
)
def test_what_is_lost_is_found(change: dict[str, object], told: str) -> None:
    """In the ledger, in the sandbox, in git."""
    (found,) = lost(replace(STORY, **change))
    assert told in found


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"experiments": [*STORY.experiments, replace(experiment(4), trial_key="run-1-1")]},
            "experiment 4 is one too many",
        ),
        ({"records": STORY.records | {"run-9-1": record(9)}}, "trial run-9-1 is of no experiment"),
        ({"records": WITHOUT_2 | {"run-2-1": record(1)}}, "candidate hash 1 has 2 trials"),
        ({"seeds": {"run-1-1": frozenset({8})}}, "trial run-1-1 had 2 seeds"),
        ({"commits": STORY.commits | {5: "commit 5"}}, "commit of 5 is of no experiment"),
    ],
)
def test_what_is_doubled_is_found(change: dict[str, object], told: str) -> None:
    """Experiments, trials, candidates, seeds and commits."""
    assert doubled(replace(STORY, **change)) == [told]


# ---- what grows ---------------------------------------------------------------------------------


def life(kib_a_trial: float, trials: int) -> list[Sample]:
    """Resident memory as an allocator makes it: steps, and noise that is as large as they are."""
    rng = random.Random(f"{kib_a_trial} {trials}")
    return [
        Sample(
            trials=number,
            resident_kib=round(80_000 + kib_a_trial * number // 256 * 256 + rng.gauss(0, 300)),
            descriptors=20,
            threads=8,
        )
        for number in range(trials)
    ]


@pytest.mark.parametrize("trials", [400, 2000])
def test_memory_that_grows_is_not_flat(trials: int) -> None:
    """Twice what is allowed is found in 400 trials; none, and half of it, pass."""
    assert not growth(life(2 * FLAT_KIB, trials)).flat
    assert growth(life(0, trials)).flat
    assert growth(life(FLAT_KIB / 2, trials)).flat


def test_a_short_soak_finds_a_large_leak() -> None:
    """A MiB a trial, in a dozen trials."""
    assert not growth(life(1024, 12)).flat
    assert growth(life(0, 12)).flat


def test_the_interval_holds_the_slope() -> None:
    """What is said of the confidence is so."""
    grown = growth(life(100, 400))
    assert grown.low < 100 < grown.high
    assert grown.high - grown.low < 20


def test_what_a_service_holds_more_at_rest_has_leaked() -> None:
    """More than its pools may fill up by; what it holds less is no gain."""
    before = Sample(trials=0, resident_kib=1, descriptors=20, threads=8)
    after = replace(before, descriptors=31, threads=20, containers=5, volumes=1)
    more = {"containers": 5, "volumes": 1, "descriptors": 11, "threads": 12}
    assert held_more(before, after) == more
    assert set(held_more(after, before).values()) == {0}
    filled = replace(before, descriptors=30, threads=18)
    assert set(held_more(before, filled).values()) == {0}


def report(**changes: object) -> Report:
    """Of a clean soak, changed."""
    clean = Report(
        seed=1,
        trials=3,
        seconds=1,
        kills={},
        ended={},
        resumed=0,
        lies={},
        outcomes={},
        tried_again=0,
        counts={"containers": 0, "lost": 0},
        found={},
        resident_kib={"sandbox": 1},
        memory={"sandbox": Growth(slope=0, low=-1, high=1, trials=3)},
    )
    return replace(clean, **changes)


def test_what_was_seen_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Each leak with its count and what it is, in print and in JSON."""
    quiet = Sample(trials=0, resident_kib=1, descriptors=20, threads=8)
    soaked = Soaked(
        seconds=1,
        kills=Counter(sandbox=2),
        ended=Counter(),
        resumed=0,
        lies=Counter(drops=1),
        rests={
            "sandbox": (quiet, replace(quiet, descriptors=33, containers=1)),
            "controller": (quiet, quiet),
        },
        life={name: life(0, 12) for name in ("controller", "sandbox")},
        story=replace(STORY, main="commit 2"),
        left={"containers": ["abc"], "volumes": []},
    )
    told = of(soaked, seed=1)
    assert told.counts == {
        "containers": 2, "volumes": 0, "descriptors": 13, "threads": 0, "lost": 1, "doubled": 0,
    }  # fmt: skip
    assert not told.clean
    tell(told, Console(width=100))
    printed = capsys.readouterr().out
    assert "sandbox: 13 more" in printed
    assert "abc" in printed
    assert "main is not the champion" in printed
    written = json.loads(told.json())
    assert written["clean"] is False
    assert written["found"]["containers"] == ["abc", "sandbox: 1 more at rest"]
    assert written["memory"]["sandbox"].keys() == {"slope", "low", "high", "trials"}


def test_one_leak_or_growth_is_not_clean() -> None:
    """Which is exit code 1."""
    assert report().clean
    assert not report(counts={"containers": 1, "lost": 0}).clean
    grows = Growth(slope=2 * FLAT_KIB, low=FLAT_KIB + 1, high=3 * FLAT_KIB, trials=1000)
    assert not report(memory={"sandbox": grows}).clean


# ---- what is drawn ------------------------------------------------------------------------------


def test_a_seed_draws_the_same_candidates_and_no_two_are_alike() -> None:
    """They compile, and some are a nuisance."""
    drawn = [candidate(random.Random(n), n) for n in range(200)]
    assert drawn == [candidate(random.Random(n), n) for n in range(200)]
    assert len(set(drawn)) == 200
    for text in drawn:
        compile(text, "train.py", "exec")
    assert {text.partition(": ")[2].partition(".")[0] for text in drawn} >= {"quick", "crashes"}
