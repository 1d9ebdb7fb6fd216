"""What a survey finds in splits and images: the programs on folders, and what their counts mean."""

import bz2
import gzip
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from sandbox.api import Verdict
from sandbox.programs import canaries, splits
from sandbox.tasks.survey import Report, Row, Searched, duplicates, in_image

SPLITS = ("train", "rehearsal", "held_out", "vault")
RNG = np.random.default_rng(5)
ROWS = 100
Write = Callable[[Path, np.ndarray], None]


def surveyed(root: Path, write: Callable[[str, Path], None]) -> Report:
    """What the program reports of four splits that `write` fills."""
    folders = {name: root / name for name in SPLITS}
    for name, folder in folders.items():
        folder.mkdir()
        write(name, folder)
    return msgspec.convert(splits.report(folders), Report)


def row(report: Report, split: str, file: str = "x.npy") -> Row:
    """The row of one file."""
    (found,) = [row for row in report.rows if (row.split, row.file) == (split, file)]
    return found


def as_rows(folder: Path, x: np.ndarray) -> None:
    np.save(folder / "x.npy", x, allow_pickle=False)


def as_fortran(folder: Path, x: np.ndarray) -> None:
    np.save(folder / "x.npy", np.asfortranarray(x), allow_pickle=False)


def as_lines(folder: Path, x: np.ndarray) -> None:
    (folder / "x.npy").write_text("\n".join(",".join(map(str, row)) for row in x) + "\n")


def as_json(folder: Path, x: np.ndarray) -> None:
    rows = [{"id": n, "text": " ".join(f"{value:.12f}" for value in x)} for n, x in enumerate(x)]
    (folder / "x.npy").write_text(json.dumps(rows))


def as_raw(folder: Path, x: np.ndarray) -> None:
    (folder / "x.npy").write_bytes(b"\xff\0" + x.tobytes())


@pytest.mark.parametrize("write", [as_rows, as_fortran, as_lines, as_json, as_raw])
@pytest.mark.parametrize("width", [2, 4, 24])
def test_examples_that_are_in_another_split_are_counted(
    tmp_path: Path, write: Write, width: int
) -> None:
    """In whatever order they lie there; those of the split's own are not."""
    data = RNG.normal(size=(4 * ROWS, width))
    own = dict(zip(SPLITS, np.split(data, 4), strict=True))
    own["held_out"][:40] = RNG.permutation(own["train"])[:40]
    own["vault"][:30] = own["held_out"][60:90]
    own["rehearsal"][:20] = own["train"][:20]
    if write is as_raw:  # of no format that is known: in the order in which they were
        own["held_out"][:40] = own["train"][:40]
    report = surveyed(tmp_path, lambda name, folder: write(folder, own[name]))
    held_out, vault = row(report, "held_out"), row(report, "vault")
    share = 0.4 if write is not as_raw else pytest.approx(0.4, abs=0.03)
    assert held_out.public / held_out.examples == share
    assert vault.held_out / vault.examples == pytest.approx(0.3, abs=0.03)
    assert vault.public == 0
    rehearsed = row(report, "rehearsal")
    assert rehearsed.public / rehearsed.examples == pytest.approx(0.2, abs=0.03)
    assert duplicates(report).verdict is Verdict.failed


def test_a_window_of_a_series_is_found_at_any_place(tmp_path: Path) -> None:
    """Held-out windows are rows; what a trainer has of them is one long text."""
    text = RNG.integers(32, 127, 3 << 20, dtype=np.uint8)
    begin = [*range(100, 2**20, 1000), 2**20 - 50, 2 * 2**20 - 1]

    def write(name: str, folder: Path) -> None:
        if name == "train":
            np.save(folder / "text.npy", text, allow_pickle=False)
        elif name == "held_out":
            np.save(folder / "x.npy", np.stack([text[n : n + 100] for n in begin]))
        else:
            np.save(folder / "x.npy", RNG.integers(32, 127, (50, 100), dtype=np.uint8))

    report = surveyed(tmp_path, write)
    assert row(report, "held_out").public == row(report, "held_out").examples == len(begin)
    assert row(report, "vault").public == 0


def test_rows_that_repeat_by_nature_are_told_from_a_leak(tmp_path: Path) -> None:
    """A table of few kinds of rows is in every split; that it is so in train alone shows it."""
    kinds = RNG.normal(size=(60, 4))
    report = surveyed(
        tmp_path, lambda _, folder: as_rows(folder, kinds[RNG.integers(0, 60, 4 * ROWS)])
    )
    assert row(report, "train").public == row(report, "train").examples
    found = duplicates(report)
    assert found.verdict is Verdict.warning
    assert "of train's own 100% are there twice" in found.detail
    assert "alike by nature" in found.next_step


def test_four_splits_of_the_same_data_are_refused(tmp_path: Path) -> None:
    """That train's examples are in the rehearsal is no sign that they repeat by nature."""
    data = RNG.normal(size=(ROWS, 4))
    found = duplicates(surveyed(tmp_path, lambda _, folder: as_rows(folder, data)))
    assert found.verdict is Verdict.failed
    assert "100% of 100 examples are in train or rehearsal too; of train's own 0%" in found.detail


def test_what_is_no_example_is_not_counted(tmp_path: Path) -> None:
    """Labels, ids, empty pictures, the shape of a file: alike in all splits of any task."""

    def write(name: str, folder: Path) -> None:
        as_rows(folder, RNG.normal(size=(ROWS, 4)))
        np.save(folder / "labels.npy", RNG.integers(0, 10, ROWS).astype(np.uint8))
        np.save(folder / "customers.npy", np.arange(ROWS))
        np.save(folder / "empty.npy", np.zeros((ROWS, 8)))
        np.save(folder / "one.npy", np.array(3.0))
        (folder / "question.json").write_text('{"circles": 26, "unit": "square"}\n')
        (folder / "nothing.txt").write_text("")

    report = surveyed(tmp_path, write)
    found = duplicates(report)
    assert {row.public for row in report.rows} == {0}
    assert {row.file for row in report.rows} == {"x.npy", "labels.npy"}
    assert found.verdict is Verdict.passed
    assert "none are in another split" in found.detail


def test_a_task_without_examples_has_none_in_two_splits(tmp_path: Path) -> None:
    """A construction asks all splits the same, and holds nothing out."""

    def write(_: str, folder: Path) -> None:
        (folder / "question.json").write_text('{"circles": 26}\n')

    report = surveyed(tmp_path, write)
    assert duplicates(report).verdict is Verdict.not_applicable
    assert in_image("sealed-agent", Searched(found=[])).verdict is Verdict.not_applicable


def test_many_files_count_by_their_endings(tmp_path: Path) -> None:
    """A folder of pictures, of which the held-out split has some of train's."""
    pictures = [RNG.bytes(500) for _ in range(4 * 20)]

    def write(name: str, folder: Path) -> None:
        (folder / "deep").mkdir()
        first = 20 * SPLITS.index(name)
        for n in range(first, first + 20):
            copied = name == "held_out" and n < first + 10
            (folder / "deep" / f"{n}.jpg").write_bytes(pictures[n - first if copied else n])

    report = surveyed(tmp_path, write)
    found = row(report, "held_out", "*.jpg")
    assert found.public / found.examples == 0.5
    assert "held_out/*.jpg: 50%" in duplicates(report).detail


def told(split: str, public: int, held_out: int = 0) -> Row:
    return Row(split=split, file="x", examples=100, public=public, held_out=held_out)


@pytest.mark.parametrize(
    ("rows", "repeats", "verdict", "says"),
    [
        ([told("held_out", 0), told("vault", 0)], 0, Verdict.passed, "Of 200"),
        ([told("held_out", 5)], 0, Verdict.warning, "held_out/x: 5%"),
        ([told("held_out", 11)], 0, Verdict.failed, "A program that remembers wins"),
        ([told("held_out", 50)], 45, Verdict.warning, "45% are there twice"),
        ([told("held_out", 60)], 45, Verdict.failed, "held_out/x: 60%"),
        ([told("held_out", 0), told("vault", 12)], 0, Verdict.failed, "vault/x: 12%"),
        ([told("held_out", 0), told("vault", 0, 90)], 0, Verdict.warning, "in the held-out split"),
        ([told("rehearsal", 90), told("held_out", 20)], 0, Verdict.failed, "held_out/x: 20%"),
        ([told("rehearsal", 90), told("held_out", 0)], 0, Verdict.warning, "are in train too"),
    ],
)  # fmt: skip
def test_what_counts_mean(rows: list[Row], repeats: int, verdict: Verdict, says: str) -> None:
    """Refused is what an agent can read of what it is scored on, beyond what repeats anyway."""
    others = [told("train", repeats), replace(told("train", 100), file="of another kind")]
    found = duplicates(Report(rows=[*others, *rows], partial=False, canaries=[]))
    assert found.verdict is verdict
    assert says in found.detail
    assert bool(found.next_step) == (verdict is not Verdict.passed)


# ---- the agent image --------------------------------------------------------------------------


def packed(folder: Path, name: str, data: bytes) -> None:
    """A file, packed as its ending says."""
    path = folder / name
    match path.suffix:
        case ".gz":
            path.write_bytes(gzip.compress(data))
        case ".bz2":
            path.write_bytes(bz2.compress(data))
        case ".zip":
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("first", "nothing")
                archive.writestr("second", data)
        case _:
            path.write_bytes(data)


@pytest.mark.parametrize("name", ["rows.csv.gz", "rows.bz2", "rows.zip", "rows.bin"])
@pytest.mark.parametrize("kind", ["text", "<f8", "u1"])
def test_held_out_rows_are_found_in_files_of_an_image(tmp_path: Path, name: str, kind: str) -> None:
    """As scikit-learn has its digits (text, packed), and in other types than `prepare` wrote."""
    images = RNG.integers(0, 17, (50, 8, 8)).astype(np.uint8)
    data, image = tmp_path / "data", tmp_path / "image"
    for folder in (data, image, image / "proc"):
        folder.mkdir()
    as_rows(data, images)
    texts = splits.canaries(splits.grouped(data))
    assert len(texts) == splits.CANARIES
    lines = "\n".join(",".join(map(str, [*one.ravel(), 7])) for one in images).encode()
    content = lines if kind == "text" else images.astype(kind).tobytes()
    # Over the border of what is read at once.
    packed(image, name, b"-" * (canaries.CHUNK - 100) + content + b"-" * 10)
    (image / "other").write_bytes(RNG.bytes(canaries.CHUNK))
    (image / "broken.gz").write_bytes(b"\x1f\x8b" + RNG.bytes(100))
    (image / "broken.zip").write_bytes(b"PK\x03\x04" + RNG.bytes(100))
    (image / "library.so").write_bytes(b"\x7fELF" + content)
    groups = [[bytes.fromhex(text) for text in group] for group in texts]
    found, unread = canaries.search(str(image), groups)
    assert found == [[str(image / name)]] * splits.CANARIES
    assert unread == 2
    verdict = in_image("sealed-agent-own", Searched(found=found))
    assert verdict.verdict is Verdict.failed
    assert name in verdict.detail


def test_nothing_is_found_where_nothing_is(tmp_path: Path) -> None:
    """Random data has none; a text that happens to be there is a warning, and no more."""
    (tmp_path / "a").write_bytes(RNG.bytes(1000))
    sentence = b"A sentence that stands in many places."
    (tmp_path / "b").write_bytes(b"..." + sentence)
    groups = [[sentence], [RNG.bytes(20)], [RNG.bytes(64)]]
    found, unread = canaries.search(str(tmp_path), groups)
    assert (found, unread) == ([[str(tmp_path / "b")], [], []], 0)
    assert in_image("i", Searched(found=found)).verdict is Verdict.warning
    assert in_image("i", Searched(found=found[1:])).verdict is Verdict.passed


def test_what_is_readable_of_a_locked_archive_is_read(tmp_path: Path) -> None:
    """A member that needs a password is counted, and hides no other one."""
    path = tmp_path / "rows.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("locked", "nothing")
        archive.writestr("open", "a held-out row")
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    assert canaries.search(str(tmp_path), [[b"held-out"]]) == ([[str(path)]], 1)


def test_files_that_could_not_be_read_are_told_of() -> None:
    """What is broken or locked may have what was looked for."""
    passed = in_image("i", Searched(found=[[]], unread=2))
    assert passed.verdict is Verdict.passed
    assert passed.detail.endswith("left out, and 2 files could not be read.")


def test_numbers_that_are_not_whole_are_looked_for_as_they_are(tmp_path: Path) -> None:
    """No text of rounded numbers, which would be in many a file."""
    as_rows(tmp_path, RNG.normal(size=(20, 6)).astype(np.float32))
    (texts, *_) = splits.canaries(splits.grouped(tmp_path))
    written: list[Any] = [bytes.fromhex(text) for text in texts]
    numbers = np.frombuffer(written[0], "<f4")
    assert len(numbers) == 6
    assert np.frombuffer(written[1], "<f8") == pytest.approx(numbers)
    assert written[2].decode() == ",".join(str(number) for number in numbers)
