"""Finished trials on disk, and comparisons of them."""

import math
import stat
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sandbox import limits
from sandbox.api import Outcome, TrialResult
from sandbox.errors import BadRequest, NoSpace, UnknownTrial
from sandbox.files import write_whole
from sandbox.trials.results import Begun, Record, Results
from sandbox.trials.trial import Scored

TASK = "a" * 64


def record(key: str, outcome: Outcome = Outcome.scored, task: str = TASK) -> Record:
    """A record with something in each field."""
    scored = outcome is Outcome.scored
    result = TrialResult(
        key=key,
        task=task,
        outcome=outcome,
        score=1.5 if scored else None,
        rehearsal_score=1.25 if scored else None,
        reason="" if scored else "why",
        log="line\n",
        log_bytes=5,
        seconds=0.5,
        wall_seconds=2.5,
        peak_memory_bytes=1 << 33,
        examples=3 if scored else 0,
        device="cpu",
        attempts=1,
    )
    return Record(
        result=result,
        candidate="b" * 64,
        seed=2**32 - 1,
        images={"agent": "sha256:1", "scorer": "sha256:2"},
        runtime="",
        finished_at="2026-01-01T00:00:00.000+00:00",
    )


def scored(values: Any, block: Any = None, **slices: list[int]) -> Scored:
    """What a scorer said."""
    return Scored(
        np.asarray(values, dtype=np.float64),
        None if block is None else np.asarray(block, dtype=np.int64),
        {name: np.asarray(mask, dtype=np.bool_) for name, mask in slices.items()},
    )


@pytest.fixture
def stored(tmp_path: Path) -> Results:
    """An empty folder of trials."""
    return Results(tmp_path / "trials")


def add(
    stored: Results,
    key: str,
    values: Any,
    block: Any = None,
    task: str = TASK,
    **slices: list[int],
) -> str:
    """Store a scored trial; returns its key."""
    stored.add(record(key, task=task), scored(values, block, **slices))
    return key


# ---- on disk ----------------------------------------------------------------------------------


def test_a_record_comes_back_as_it_went(stored: Results, tmp_path: Path) -> None:
    """Another process finds every field of what this one stored."""
    wanted = record("one")
    stored.add(wanted, scored([1, 2, 1.5]))
    assert Results(tmp_path / "trials").find("one") == wanted
    assert stored.get("one") == wanted


def test_what_was_not_stored_is_not_there(stored: Results) -> None:
    """A key without a record is none to `find` and an `UnknownTrial` to `get`."""
    assert stored.find("one") is None
    with pytest.raises(UnknownTrial) as fault:
        stored.get("one")
    assert fault.value.next_step


def test_only_their_owner_reads_them(stored: Results, tmp_path: Path) -> None:
    """Values and seeds are in files of mode 0600, in a folder of mode 0700."""
    add(stored, "one", [1.0, 2.0])
    files = list((tmp_path / "trials").iterdir())
    assert {file.name for file in files} == {"one.json", "one.values"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "trials").stat().st_mode) == 0o700


def test_a_trial_without_a_score_has_no_values(stored: Results, tmp_path: Path) -> None:
    """Of a crash only the record is stored."""
    stored.add(record("one", Outcome.crash), None)
    assert [file.name for file in (tmp_path / "trials").iterdir()] == ["one.json"]


def test_a_crash_between_values_and_record_leaves_nothing_to_find(
    stored: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Values come first: a trial whose record was not written did not happen, and runs again."""

    def dies(path: Path, data: bytes) -> None:
        if path.suffix == ".json":
            raise KeyboardInterrupt
        write_whole(path, data)

    with monkeypatch.context() as patch:
        patch.setattr("sandbox.trials.results.write_whole", dies)
        with pytest.raises(KeyboardInterrupt):
            add(stored, "one", [9.0, 9.0])
    assert stored.find("one") is None
    with pytest.raises(UnknownTrial):
        stored.compare(["one"], ["one"])
    add(stored, "one", [1.0, 2.0, 3.0])
    add(stored, "two", [0.0, 0.0, 0.0])
    assert stored.compare(["one"], ["two"]).difference == 2.0


@pytest.mark.parametrize(
    "key",
    ["", ".", "..", "../x", "a/b", "/etc/passwd", "-x", ".x", "_x", "a\n", "a\0", "a b", "é",
     "a\\b", "x" * 129, "CON:", "a*"],
)  # fmt: skip
def test_a_key_that_is_no_plain_name_is_refused(stored: Results, key: str) -> None:
    """A key becomes the name of a file, so nothing that could lead elsewhere is one."""
    for call in (
        lambda: stored.find(key),
        lambda: stored.get(key),
        lambda: stored.compare([key], [key]),
    ):
        with pytest.raises(BadRequest) as fault:
            call()
        assert fault.value.next_step


@pytest.mark.parametrize("key", ["a", "0", "A.b_c-d", "x" * 128, "one.values", "one.json", "a.."])
def test_a_plain_name_is_a_key(stored: Results, tmp_path: Path, key: str) -> None:
    """The longest key fits a file's name, and one that looks like a file of another is its own."""
    add(stored, "one", [5.0, 5.0])
    add(stored, key, [1.0, 2.0])
    found = stored.find("one")
    assert found is not None
    assert found.result.key == "one"
    assert stored.compare(["one"], [key]).difference == 3.5
    assert all(file.parent == tmp_path / "trials" for file in tmp_path.rglob("*.values"))


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    """Writing again replaces; a failure leaves what was there, and no draft."""
    path = tmp_path / "file"
    write_whole(path, b"first")
    write_whole(path, b"second")
    assert path.read_bytes() == b"second"
    (tmp_path / "folder").mkdir()
    with pytest.raises(NoSpace) as fault:
        write_whole(tmp_path / "folder", b"x")
    assert fault.value.next_step
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "folder"]


# ---- comparisons ------------------------------------------------------------------------------


def reference(
    first: list[NDArray[np.float64]],
    second: list[NDArray[np.float64]],
    block: NDArray[np.int64] | None,
) -> tuple[float, float]:
    """Difference and standard error, written out example by example."""
    count = first[0].size
    differences = [
        math.fsum(float(v[n]) for v in first) / len(first)
        - math.fsum(float(v[n]) for v in second) / len(second)
        for n in range(count)
    ]
    mean = math.fsum(differences) / count
    sums: dict[int, float] = {}
    for n, difference in enumerate(differences):
        name = n if block is None else int(block[n])
        sums[name] = sums.get(name, 0.0) + difference - mean
    if len(sums) < 2:
        return mean, 0.0
    squares = math.fsum(value**2 for value in sums.values())
    return mean, math.sqrt(squares * len(sums) / (len(sums) - 1)) / count


_finite = st.floats(-1e6, 1e6)


@settings(max_examples=60)
@given(st.data())
def test_a_comparison_is_what_it_is_by_hand(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Difference and error agree with a plain loop, for any trials, with blocks and without."""
    count = data.draw(st.integers(1, 12))
    sides = data.draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    block = data.draw(
        st.none() | st.lists(st.integers(-(2**63), 2**63 - 1), min_size=count, max_size=count)
        | st.lists(st.integers(0, 2), min_size=count, max_size=count)
    )  # fmt: skip
    column = st.lists(_finite, min_size=count, max_size=count).map(np.array)
    trials = [data.draw(column) for _ in range(sum(sides))]
    stored = Results(tmp_path_factory.mktemp("r") / "trials")
    keys = [add(stored, f"t{n}", values, block) for n, values in enumerate(trials)]
    first, second = keys[: sides[0]], keys[sides[0] :]
    wanted = reference(
        trials[: sides[0]],
        trials[sides[0] :],
        None if block is None else np.array(block, dtype=np.int64),
    )
    found = stored.compare(first, second)
    assert (found.difference, found.standard_error) == pytest.approx(wanted, rel=1e-9, abs=1e-7)
    assert found.examples == count


def test_without_blocks_it_is_the_paired_error(stored: Results) -> None:
    """For one trial a side it is the textbook's standard deviation over the root of the number."""
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=50), rng.normal(size=50)
    found = stored.compare([add(stored, "a", first)], [add(stored, "b", second)])
    wanted = np.std(first - second, ddof=1) / np.sqrt(50)
    assert found.standard_error == pytest.approx(wanted)


def test_repeated_examples_in_blocks_add_no_certainty(stored: Results) -> None:
    """Each example ten times over, as one block, has the error of the examples once."""
    rng = np.random.default_rng(2)
    first, second = rng.normal(size=20), rng.normal(size=20)
    once = stored.compare([add(stored, "a", first)], [add(stored, "b", second)])
    block = np.repeat(np.arange(20), 10)
    keys = [
        add(stored, name, np.repeat(values, 10), block)
        for name, values in (("c", first), ("d", second))
    ]
    blocked = stored.compare(keys[:1], keys[1:])
    assert blocked.standard_error == pytest.approx(once.standard_error)
    plain = [add(stored, k, np.repeat(v, 10)) for k, v in (("e", first), ("f", second))]
    assert stored.compare(plain[:1], plain[1:]).standard_error < once.standard_error / 2


@pytest.mark.parametrize(("values", "block"), [([2.0], None), ([1.0, 3.0], [7, 7])])
def test_a_single_value_has_no_error(stored: Results, values: Any, block: Any) -> None:
    """One example, or one block, says nothing of its spread: the error is 0, not NaN."""
    keys = [add(stored, "a", values, block), add(stored, "b", np.zeros(len(values)), block)]
    found = stored.compare(keys[:1], keys[1:])
    assert (found.difference, found.standard_error) == (2.0, 0.0)


def test_the_largest_values_stay_finite(stored: Results) -> None:
    """Values at the limit of what a score may hold give finite figures, which JSON can carry."""
    large = limits.VALUE
    keys = [add(stored, "a", [large, -large, large]), add(stored, "b", [-large, large, -large])]
    found = stored.compare(keys[:1], keys[1:])
    assert math.isfinite(found.standard_error)
    assert msgspec.json.decode(msgspec.json.encode(found), type=type(found)) == found


def test_different_numbers_of_examples_are_refused(stored: Results) -> None:
    """Values that do not pair are not compared."""
    keys = [add(stored, "a", [1.0, 2.0]), add(stored, "b", [1.0, 2.0, 3.0])]
    with pytest.raises(BadRequest, match="different numbers"):
        stored.compare(keys[:1], keys[1:])


def test_what_can_not_be_compared_says_why(stored: Results) -> None:
    """An empty side, a trial without a score and one of another task are each refused."""
    add(stored, "a", [1.0])
    add(stored, "other", [1.0], task="c" * 64)
    stored.add(record("crashed", Outcome.crash), None)
    for first, second, says in (
        ([], ["a"], "both sides"),
        (["a"], [], "both sides"),
        (["a"], ["crashed"], "no score"),
        (["a"], ["other"], "different tasks"),
    ):
        with pytest.raises(BadRequest, match=says) as fault:
            stored.compare(first, second)
        assert fault.value.next_step


# ---- what was begun -----------------------------------------------------------------------------

BEGUN = Begun(task=TASK, candidate="b" * 64, seed=7, attempts=2)


def test_what_was_begun_is_known_until_it_has_a_result(stored: Results, tmp_path: Path) -> None:
    """Also to another process, whose predecessor died; then there is the record alone."""
    assert stored.begun("one") is None
    stored.begin("one", BEGUN)
    assert Results(tmp_path / "trials").begun("one") == BEGUN
    add(stored, "one", [1.0, 2.0])
    assert stored.begun("one") is None
    stored.begin("two", BEGUN)
    stored.give_up("two")
    assert stored.begun("two") is None


def test_a_killed_process_leaves_no_half_of_anything(stored: Results, tmp_path: Path) -> None:
    """Drafts, and notes of what has its record, are removed at the next start."""
    add(stored, "one", [1.0, 2.0])
    stored.begin("one", BEGUN)
    (tmp_path / "trials" / "two.json.draft").write_bytes(b"{")
    assert Results(tmp_path / "trials").begun("one") is None
    assert {file.name for file in (tmp_path / "trials").iterdir()} == {"one.json", "one.values"}


# ---- slices -----------------------------------------------------------------------------------


def test_each_slice_is_compared_by_itself(stored: Results) -> None:
    """Over its own examples and blocks; an empty one, and one of a single block, is none."""
    masks = {"rare": [1, 0, 0, 1, 1], "none": [0] * 5, "one": [1, 1, 0, 0, 0], "all": [1] * 5}
    block = [0, 0, 1, 1, 2]
    add(stored, "first", [1.0, 2, 3, 4, 9], block, **masks)
    add(stored, "second", [0.0, 2, 5, 4, 5], block, **masks)
    found = stored.compare(["first"], ["second"])
    assert set(found.slices) == {"rare", "all"}
    assert found.slices["all"].difference == found.difference == pytest.approx(0.6)
    assert found.slices["all"].standard_error == found.standard_error
    assert found.slices["rare"].difference == pytest.approx(5 / 3)
    centred = np.array([1.0, 0, 4]) - 5 / 3
    assert found.slices["rare"].standard_error == pytest.approx(
        np.sqrt((centred**2).sum() * 3 / 2) / 3
    )


def test_slices_that_an_answer_decides_are_refused(stored: Results) -> None:
    """What is to be compared must be the same examples, and trials without slices have none."""
    add(stored, "first", [1.0, 2], rare=[1, 0])
    add(stored, "second", [1.0, 2], rare=[0, 1])
    add(stored, "third", [1.0, 2])
    for other in ("second", "third"):
        with pytest.raises(BadRequest, match="different slices"):
            stored.compare(["first"], [other])
    assert stored.compare(["third"], ["third"]).slices == {}
