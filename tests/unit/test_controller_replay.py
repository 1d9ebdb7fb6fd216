"""The agent `replay`: candidates from a folder, or from another run."""

from pathlib import Path

import pytest

from controller.agents import Kind, find_source, make_agent
from controller.agents.replay import from_folder
from controller.candidate import Candidate, Unfit
from controller.errors import NotFound, Unusable
from controller.ledger import Halt
from sandbox.api import CANDIDATE_BYTES
from tests.unit.toy import Watched, drive, fake, ledger_of, opened


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of a test are its own."""
    monkeypatch.setenv("SEALED_RUNS", str(tmp_path / "runs"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two good candidates and three files that are none."""
    folder = tmp_path / "candidates"
    folder.mkdir()
    (folder / "b.py").write_text("# fake: score=0.5\n")
    (folder / "a.py").write_text('# note\n"""Wider.\n\nMore."""\n# fake: score=0.25\n')
    (folder / "large.py").write_bytes(b"#" * (CANDIDATE_BYTES + 1))
    (folder / "latin.py").write_bytes(b"# \xe4\n")
    (folder / "note.txt").write_text("no candidate")
    (folder / "deep.py").mkdir()
    return folder


def test_a_folder_is_replayed_in_the_order_of_names(folder: Path) -> None:
    """A docstring's first line is the hypothesis, else the file's name; bad files are refusals."""
    items = from_folder(folder)
    assert [(type(item), item.hypothesis) for item in items] == [
        (Candidate, "Wider."),
        (Candidate, "b"),
        (Unfit, "deep"),
        (Unfit, "large"),
        (Unfit, "latin"),
    ]


@pytest.mark.parametrize(
    ("source", "hypothesis"),
    [
        ("'''One.'''\n", "One."),
        ('r"""\n  Two.\nMore"""\n', "Two."),
        ('# c\n\n"Three."\n', "Three."),
        ('f"{1}"\n', "file"),
        ("b'x'\n", "file"),
        ("x = 1\n", "file"),
        ("", "file"),
        ('"""unclosed\n', "file"),
        ("(" * 10_000, "file"),
    ],
)
def test_a_hypothesis_is_found_without_parsing(
    tmp_path: Path, source: str, hypothesis: str
) -> None:
    """A docstring, or the file's name."""
    (tmp_path / "file.py").write_text(source)
    (item,) = from_folder(tmp_path)
    assert item == Candidate(source=source, hypothesis=hypothesis)


def test_bad_files_are_recorded_and_the_run_goes_on(folder: Path) -> None:
    """Each is a refusal with its reason; the good ones are experiments; then it is exhausted."""
    sandbox, watched = fake(), Watched()
    agent = make_agent(Kind.replay, seed="", train="", source=str(folder))
    with opened(sandbox) as run:
        end = drive(run, sandbox, agent, watched)
        hypotheses = [e.hypothesis for e in run.ledger.experiments()]
    assert end.halt is Halt.exhausted
    assert hypotheses[1:] == ["Wider.", "b"]
    assert watched.reasons == [
        "deep.py can't be read: Is a directory.",
        "large.py is over 64 KiB.",
        "latin.py is not UTF-8.",
    ]


def test_another_run_is_replayed_in_its_order() -> None:
    """The same candidates with the same hypotheses come to the same decisions."""
    sandbox = fake()
    with opened(sandbox, name="first", most_experiments=5) as run:
        drive(run, sandbox)
    agent = make_agent(Kind.replay, seed="", train="", source=find_source("first"))
    with opened(sandbox, name="second") as run:
        drive(run, sandbox, agent)
    with ledger_of("first") as first, ledger_of("second") as second:
        assert [
            (e.number, e.hypothesis, e.candidate_hash, e.decision) for e in first.experiments()
        ] == [(e.number, e.hypothesis, e.candidate_hash, e.decision) for e in second.experiments()]


def test_a_source_that_is_nothing_is_one_clear_error(tmp_path: Path) -> None:
    """Neither folder nor run; an empty folder; none given; one given to the search."""
    with pytest.raises(NotFound, match="No run is named nothing"):
        find_source("nothing")
    with pytest.raises(Unusable, match=r"No \*.py"):
        from_folder(tmp_path)
    with pytest.raises(Unusable, match="needs candidates"):
        make_agent(Kind.replay, seed="", train="", source=None)
    with pytest.raises(Unusable, match="takes no candidates"):
        make_agent(Kind.search, seed="", train="", source=str(tmp_path))
