"""tasks/text: what prepare makes of documents, its reference and score, and the beginning there is.

It is trained in tests/docker/test_text.py, where torch is.
"""

import io
import math
import tarfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from controller.agents.marks import marked
from sandbox.api import Keep
from sandbox.tasks.candidate import check_candidate, warm_modules
from sandbox.tasks.settings import parse_program
from sealed_task import Dishonest, Folders, Predictors
from tests.support.predictors import Loopback, local_predictors
from tests.support.tasks import ROOT, load_module, prepared

TEXT = ROOT / "tasks" / "text"
PREPARE = load_module(TEXT / "prepare.py")
LENGTH = PREPARE.LENGTH
SCORED = ("rehearsal", "held_out", "vault")
DOCUMENTS = 60

Bytes = NDArray[np.uint8]


def sentence(rng: np.random.Generator) -> str:
    """Eleven made-up words, so that no two sentences are alike."""
    letters = list("aeioulnrst")
    words = ["".join(rng.choice(letters, size)) for size in rng.integers(3, 9, 11)]
    return " ".join(words).capitalize() + "."


def documents(rng: np.random.Generator) -> list[str]:
    """Each of 1 to 12 windows, but for five that are too short for one."""
    sizes = [1] * 5 + [int(size) for size in rng.integers(10, 100, DOCUMENTS - 5)]
    return ["\n\n".join(sentence(rng) for _ in range(size)) for size in sizes]


def archive_of(files: dict[str, str]) -> bytes:
    """A .tar.gz with these files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


@pytest.fixture(scope="module")
def archive() -> bytes:
    """What the index would have sent."""
    texts = documents(np.random.default_rng(0))
    return archive_of({f"D-1/docs/{number}.txt": text for number, text in enumerate(texts)})


@pytest.fixture
def make(archive: bytes, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, int], Folders]:
    """Prepares splits of the made-up documents below a folder, under a salt."""
    monkeypatch.setattr(PREPARE, "download", lambda: archive)
    return lambda folder, salt: prepared(PREPARE, folder, salt)


def array(folder: Path, name: str) -> NDArray[Any]:
    return np.asarray(np.load(folder / f"{name}.npy", allow_pickle=False))


# ---- documents --------------------------------------------------------------------------------


def test_markup_and_code_are_left_out_and_sentences_stay() -> None:
    """A paragraph becomes a line of plain text; headings, directives and code are gone."""
    source = (
        "=======\nQueries\n=======\n\n.. currentmodule:: django.db\n\n"
        "The :class:`~django.db.Query` of ``this``\nkind is *the* one that `we <https://x.y>`_ "
        "call “first”.\n\n"
        "* See :ref:`the other page <other>` for more about these and_ many other things.\n\n"
        ".. code-block:: python\n\n    query = Query(model, where=None)  # of all that is there.\n"
        "    query.run(using=None)\n\nToo short a line.\n"
    )
    assert PREPARE.prose(source) == (
        'The django.db.Query of this kind is the one that we call "first".\n'
        "See the other page for more about these and many other things.\n"
    )


def test_only_the_documentation_is_read_and_in_the_order_of_its_names() -> None:
    """Other files, and links that a bad archive might have, are not opened."""
    data = archive_of({"D-1/docs/b.txt": "B", "D-1/docs/x/a.txt": "A", "D-1/x.txt": "no"})
    assert list(PREPARE.read(data)) == ["B", "A"]


def test_a_paragraph_that_stands_in_an_earlier_document_is_taken_out() -> None:
    """Word for word, or with a few words changed; what is said twice in one document goes once."""
    rng = np.random.default_rng(1)
    first, second, third = (sentence(rng) + "\n" for _ in range(3))
    changed = first.upper().rsplit(maxsplit=2)[0] + " indeed so.\n"
    texts = [first + second + second, changed + third, second]
    assert PREPARE.without_repeats(texts) == [first + second, third]


# ---- splits -----------------------------------------------------------------------------------


def test_no_document_is_in_two_splits(
    make: Callable[[Path, int], Folders], archive: bytes, tmp_path: Path
) -> None:
    """Each window is from one document, and that one is neither in train nor in another split."""
    to = make(tmp_path, 1)
    texts = [PREPARE.prose(text).encode() for text in PREPARE.read(archive)]
    text, starts = array(to.train, "text").tobytes(), array(to.train, "starts")
    train = [text[first:end] for first, end in pairwise(starts)]
    assert b"".join(train) == text
    numbers = [texts.index(document) for document in train]
    for name in SCORED:
        for window in array(getattr(to, name), "windows"):
            (number,) = (n for n, text in enumerate(texts) if window.tobytes() in text)
            numbers.append(number)
    assert sorted(numbers) == list(range(DOCUMENTS))


def test_the_files_are_as_prepare_says(
    make: Callable[[Path, int], Folders], tmp_path: Path
) -> None:
    """Types and shapes, and half of the long documents or more behind each decision."""
    to = make(tmp_path, 1)
    assert sorted(path.name for path in to.train.iterdir()) == ["starts.npy", "text.npy"]
    assert array(to.train, "text").dtype == np.uint8
    assert array(to.train, "starts").dtype == np.int64
    for name in SCORED:
        folder = getattr(to, name)
        assert sorted(path.name for path in folder.iterdir()) == ["reference.npy", "windows.npy"]
        windows, reference = array(folder, "windows"), array(folder, "reference")
        assert windows.dtype == np.uint8
        assert windows.shape == (round(PREPARE.SHARES[name] * (DOCUMENTS - 5)), LENGTH)
        assert reference.dtype == np.float64
        assert reference.shape == windows.shape
    assert PREPARE.SHARES["held_out"] > 0.4 > PREPARE.SHARES["vault"] > 0.3


def test_the_salt_decides_every_split(make: Callable[[Path, int], Folders], tmp_path: Path) -> None:
    """The same salt makes the same files, and another one others."""
    first, again, other = (make(tmp_path / str(n), salt) for n, salt in enumerate((1, 1, 2)))
    for name in SCORED:
        windows = [array(getattr(to, name), "windows") for to in (first, again, other)]
        assert np.array_equal(windows[0], windows[1])
        assert not np.array_equal(windows[0], windows[2])
    assert array(first.train, "text").tobytes() != array(other.train, "text").tobytes()


# ---- reference and score ----------------------------------------------------------------------


def test_the_reference_is_a_distribution() -> None:
    """Whatever the context, known or not, the chances of all 256 next bytes sum to 1."""
    rng = np.random.default_rng(0)
    text = rng.choice(np.frombuffer(b"abc ", np.uint8), 500)
    for context in (b"", b"a", b"cab ab", b"zzzzzzz", b"zzzzab"):
        rows = np.array([[*context, byte] for byte in range(256)], dtype=np.uint8)
        nats = PREPARE.reference(text, rows)
        assert np.exp(-nats[:, -1]).sum() == pytest.approx(1)


def test_the_reference_knows_what_it_has_seen() -> None:
    """Text of the train split costs little, and bytes that it never had cost most."""
    text = np.frombuffer(b"the cat sat on the mat, and the dog sat on the rug. " * 20, np.uint8)
    nats = PREPARE.reference(text, np.stack([text[100:200], text[100:200] | 128]))
    assert nats[0, 6:].mean() < 0.2
    assert nats[1].min() > math.log(256)


def uniform(question: dict[str, Any]) -> NDArray[np.float32]:
    """Knows nothing, in both rooms."""
    if question["room"] == "whole":
        return np.full(question["windows"].shape, math.log(256), dtype=np.float32)
    return np.zeros((len(question["prefixes"]), 256), dtype=np.float32)


def test_knowing_nothing_costs_eight_bits(
    make: Callable[[Path, int], Folders], tmp_path: Path
) -> None:
    """One value a window, in bits a byte, on each split that is scored."""
    to = make(tmp_path, 1)
    for name in SCORED:
        folder = getattr(to, name)
        values = PREPARE.score(folder, local_predictors(uniform)).values
        assert values == pytest.approx(np.full(len(array(folder, "windows")), 8), abs=1e-6)


def test_claims_of_what_is_not_foreseen_are_refused(
    make: Callable[[Path, int], Folders], tmp_path: Path
) -> None:
    """Claims are audited: nothing for every byte gets no score."""

    def liar(question: dict[str, Any]) -> NDArray[np.float32]:
        return uniform(question) * (question["room"] == "blind")

    loopback = Loopback(liar, baseline=uniform)
    with pytest.raises(Dishonest):
        PREPARE.score(make(tmp_path, 1).held_out, Predictors(loopback.requests, loopback.replies))


# ---- program.md and train.py ------------------------------------------------------------------


def test_the_front_matter_is_accepted_and_a_trial_is_short() -> None:
    """One CPU, a GPU if there is one, and a budget that leaves a trial under half a minute."""
    settings, prose = parse_program((TEXT / "program.md").read_text("utf-8"))
    assert (settings.metric, settings.goal, settings.gpus) == ("bits per byte", "minimize", "auto")
    assert settings.budget_seconds <= 20
    assert settings.keep is Keep.confirmed
    assert "two rooms" in prose


def test_the_baseline_is_a_candidate_with_constants_to_search() -> None:
    """Its marks can be read, its text is no larger than a candidate's, and torch is imported."""
    text = (TEXT / "train.py").read_text("utf-8")
    check_candidate(text)
    assert warm_modules(text) == ("torch",)
    names = [constant.name for constant in marked(text).constants]
    assert {"LEARNING_RATE", "WIDTH", "DEPTH", "CONTEXT", "BATCH_SIZE"} <= set(names)
