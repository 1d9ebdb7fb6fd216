"""A champion that an audit catches: kept no more in any list, count, page, report or export."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from controller.agents.search import Search
from controller.decision import Decision
from controller.remembered import Remembered
from controller.report import report_of
from controller.report.html import html
from controller.report.markdown import markdown
from controller.status import status_of
from controller.verify import verify
from sandbox.api import Outcome
from sandbox.fake.sandbox import FakeSandbox
from tests.unit.command import Sealed, document
from tests.unit.toy import TRAIN, Scripted, candidates, drive, ledger_of, opened, with_settings
from tests.unit.web import asking, page

BASE = "# fake: score=1 spread=0.01 noise=0.1\n"
FILES = replace(with_settings(keep="confirmed", min_gain=0), train=BASE)
TOLD = ("score=-9 noise=0.05 caught=5", "score=-50", "score=2")
"""The first is kept by its trials 2 to 4; in the fifth, beside the second, it is caught."""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a run whose first champion fell."""
    monkeypatch.setenv("SEALED_RUNS", str(tmp_path / "runs"))
    sandbox = FakeSandbox()
    with opened(sandbox, files=FILES) as made:
        drive(made, sandbox, Scripted(*candidates(*TOLD)))
        return made.folder


def test_it_is_told_from_those_that_stand(run: Path) -> None:
    """Its decision stays in the ledger, and it is none of the kept."""
    with ledger_of() as ledger:
        baseline, fallen, beside, after = ledger.experiments()
        assert [e.verdict for e in (baseline, fallen, beside, after)] == [
            "kept",
            "dethroned",
            "discarded",
            "discarded",
        ]
        assert (fallen.decision, fallen.dethroned_by, fallen.is_kept) == (Decision.kept, 2, False)
        assert [(s.number, s.kept) for s in ledger.scores()] == [
            (0, True),
            (1, False),
            (2, False),
            (3, False),
        ]
    found = status_of(run)
    assert (found.champion, found.kept, found.dethroned) == (0, 0, 1)
    assert [(p.name, p.kept, p.gain) for p in found.proposers] == [("scripted", 0, 0.0)]


def test_a_run_in_which_it_fell_is_what_it_says(run: Path) -> None:
    """Receipts, ledger, repository and rule agree that it was kept, and that it fell."""
    found = verify(run, None)
    assert found.findings == []
    assert (found.kept, found.dethroned) == (2, 1)


def test_lists_counts_and_exports_have_it(sealed: Sealed, run: Path) -> None:
    """In words and as JSON; the original's table has no word for it but `discard`."""
    rows = [line.split()[:2] for line in sealed("experiment", "list").output.splitlines()]
    assert rows[1:] == [["0", "kept"], ["1", "dethroned"], ["2", "discarded"], ["3", "discarded"]]
    items = document(sealed("experiment", "list", "--json"))["items"]
    assert [item["dethroned_by"] for item in items] == [None, 2, None, None]
    shown = sealed("experiment", "show", "1").output
    assert "dethroned:   dishonest in a trial that experiment 2 asked for" in shown
    assert "dethroned:" not in sealed("experiment", "show", "0").output
    assert "experiments: 3: 0 kept, 1 dethroned; " in sealed("status").output
    assert "2 kept (1 dethroned), every decision" in sealed("verify").output
    table = [line.split("\t")[3] for line in sealed("export").output.splitlines()]
    assert table == ["status", "keep", "discard", "discard", "discard"]


def test_the_page_has_it_and_its_clone_has_the_champion(run: Path) -> None:
    """No row of it is green, the line of the best does not go through it, `main` is not it."""
    with asking() as client:
        shown, one = page(client, "/"), page(client, "/runs/run/experiments/1")
        listed = client.get("/runs/run.json").json()
        refs = dict(
            reversed(line.split("\t"))
            for line in client.get("/git/run.git/info/refs").text.splitlines()
        )
    assert "0, 1 dethroned" in shown.text
    assert [row["verdict"] for row in listed["rows"]] == [
        "discarded",
        "discarded",
        "dethroned",
        "kept",
    ]
    assert len([tag for tag, attrs in shown.elements if attrs.get("class") == "is-kept"]) == 1
    assert [point["kept"] for point in listed["scores"]] == [True, False, False, False]
    assert "dishonest in a trial that experiment 2 asked for" in one.text
    with ledger_of() as ledger:
        assert refs["refs/heads/main"] == ledger.experiment(0).commit_id


def test_the_report_claims_nothing_of_it(run: Path) -> None:
    """It is told, with what became of it, and no gain is."""
    found = report_of(run)
    assert [(kept.number, kept.dethroned_by) for kept in found.kept] == [(1, 2)]
    assert found.gain == 0
    for text in (html(found), markdown(found)):
        assert "Nothing better" in text
        assert "1 dethroned" in text
        assert ", dethroned" in text
        assert "It is none of the gain:" in text


def test_agents_are_told_that_it_was_dishonest(run: Path) -> None:
    """Neither score nor decision draws them to it, in what they had read before either."""
    sandbox = FakeSandbox()
    with opened(sandbox, files=FILES) as again:
        seen = again.told(1)
        assert (seen.outcome, seen.decision, seen.score) == (
            Outcome.dishonest,
            Decision.discarded,
            None,
        )


def test_what_agents_remember_of_it_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each experiment is read once, but for a champion's fall."""
    monkeypatch.setenv("SEALED_RUNS", str(tmp_path / "runs"))
    remembered, known = Remembered(lambda seen: seen.decision), []
    search = Search("seed", TRAIN)

    class Reading(Scripted):
        def propose(self, view):  # type: ignore[no-untyped-def]
            search._read(view)
            known.append(([k.kept for k in search._known], remembered.of(view)))
            return super().propose(view)

    sandbox = FakeSandbox()
    with opened(sandbox, files=FILES) as run:
        drive(run, sandbox, Reading(*candidates(*TOLD)))
    assert [kept for kept, _ in known] == [
        [True],
        [True, True],
        [True, False, False],
        [True, False, False, False],
    ]
    for kept, decisions in known:
        assert kept == [decision is Decision.kept for decision in decisions]
