"""`sealed report --ablation`: each kept change taken out of the champion, and both trained anew."""

import re
from pathlib import Path

import pytest
from msgspec.structs import replace

from controller.candidate import Candidate
from controller.errors import Failed, Unusable
from controller.report import report_of
from controller.report.ablation import Ablation, Worth, ablation
from controller.report.html import html
from controller.report.markdown import markdown
from sandbox.api import Progress, no_progress
from sandbox.fake.sandbox import FakeSandbox
from tests.support.hostile import MARKUP
from tests.unit.command import Sealed, document, replayed
from tests.unit.toy import Scripted, drive, ledger_of, opened, with_settings

BASE = """\
# fake: noise=0.05 spread=0.01
RATE = 0

WIDTH = 0
MAGIC = 0
HARM = 0
"""
FILES = replace(with_settings(keep="naive", min_gain=0), train=BASE)


def worth(candidate: str) -> float:
    """Lower is better: RATE gives 1 each, WIDTH 0.5 each, MAGIC nothing, HARM costs 0.03 each."""
    lines = (line.split(" = ") for line in candidate.splitlines() if " = " in line)
    found = {name: float(value) for name, value in lines}
    gains = {"RATE": -1.0, "WIDTH": -0.5, "MAGIC": 0.0, "HARM": 0.03}
    return 10 + sum(gain * found.get(name, 0.0) for name, gain in gains.items())


def changed(text: str, **values: object) -> str:
    """A text with other values."""
    lines = []
    for line in text.splitlines():
        name = line.split(" = ")[0]
        lines.append(f"{name} = {values[name]}" if name in values else line)
    return "\n".join(lines) + "\n"


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of a test are its own."""
    monkeypatch.setenv("SEALED_RUNS", str(tmp_path / "runs"))


def made(sandbox: FakeSandbox, *proposals: Candidate, name: str = "run") -> Path:
    """The folder of a run of these candidates."""
    with opened(sandbox, files=FILES, name=name) as run:
        drive(run, sandbox, Scripted(*proposals))
        return run.folder


@pytest.fixture(name="sandbox")
def _sandbox() -> FakeSandbox:
    return FakeSandbox(landscape=worth)


def night(sandbox: FakeSandbox) -> Path:
    """A run under `naive`: what its trials keep is known, for their luck comes from their keys."""
    first = changed(BASE, RATE=1)
    wide = changed(first, WIDTH=1)
    lucky = changed(wide, MAGIC=1)
    harmed = changed(lucky, HARM=1)
    texts = (first, wide, lucky, "# fake: outcome=crash\n", harmed, changed(harmed, RATE=2))
    folder = made(sandbox, *(Candidate(source=s, hypothesis=f"idea {MARKUP}") for s in texts))
    with ledger_of() as ledger:
        assert [e.number for e in ledger.experiments() if e.is_kept] == [0, 1, 2, 3, 5, 6]
    return folder


def by_number(found: Ablation) -> dict[int, Worth]:
    """What each change is worth."""
    return {change.number: change.worth for change in found.changes}


def test_each_kept_change_is_told_by_what_it_is_worth(sandbox: FakeSandbox) -> None:
    """What luck kept is found out, harm too, and what a later one rests on stays in."""
    found = ablation(night(sandbox), sandbox, 60, no_progress)
    assert (found.champion, found.trials) == (6, 60)
    assert by_number(found) == {
        1: Worth.needed,
        2: Worth.worth,
        3: Worth.unclear,
        5: Worth.harmful,
        6: Worth.worth,
    }
    rested, wide, lucky, harmed, last = found.changes
    assert rested.detail == "Experiment 6 changed the same lines, and rests on it."
    assert rested.gain is None
    for change, truth in ((wide, 0.5), (lucky, 0.0), (harmed, -0.03), (last, 1.0)):
        assert change.low is not None
        assert change.high is not None
        assert change.low <= truth <= change.high
        assert change.high - change.low < 0.1


def test_what_was_trained_once_is_not_trained_again(sandbox: FakeSandbox) -> None:
    """Champion and four others, in turn; more trials are only those that are missing."""
    folder = night(sandbox)
    before = len(sandbox.executed)
    first = ablation(folder, sandbox, 2, no_progress)
    trained = sandbox.executed[before:]
    assert len(trained) == len(set(trained)) == 2 * 5
    assert len({key.rsplit("-", 1)[0] for key in trained[:5]}) == 5, "the champion, then the others"
    assert ablation(folder, sandbox, 2, no_progress) == first
    assert len(sandbox.executed) == before + 2 * 5
    ablation(folder, sandbox, 3, no_progress)
    assert len(sandbox.executed) == before + 3 * 5


def test_nothing_of_it_is_in_the_run(sandbox: FakeSandbox) -> None:
    """Neither ledger nor receipts have its trials: the run stays what it says."""
    folder = night(sandbox)
    ablation(folder, sandbox, 2, no_progress)
    found = report_of(folder)
    assert found.verified is not None
    assert found.verified.findings == []
    assert found.trials == found.verified.trials == 7


def test_progress_says_what_is_trained_and_how_much_it_is(sandbox: FakeSandbox) -> None:
    """Beforehand in trials and seconds, then by trial."""
    details, said = list[str](), list[str]()

    def on_progress(progress: Progress) -> None:
        details.append(progress.detail)

    ablation(night(sandbox), sandbox, 2, on_progress, said.append)
    assert said == [
        "5 kept changes, 4 can be taken out: 2 trials of each and of the champion, about 20 s"
    ]
    assert list(dict.fromkeys(filter(None, details))) == [
        f"{what}, trial {number} of 2"
        for number in (1, 2)
        for what in ("the champion", *(f"without experiment {n}" for n in (2, 3, 5, 6)))
    ]


def test_what_fails_without_a_change_needs_it_and_what_was_undone_is_gone(
    sandbox: FakeSandbox,
) -> None:
    """Neither is compared; the one is told with how it failed, the other is no part of it."""
    guarded = changed(BASE, RATE=1) + "# fake: outcome=scored\n"
    trap = "# fake: outcome=crash reason=unguarded\nMAGIC = 0"
    leaning = changed(guarded, WIDTH=1).replace("MAGIC = 0", trap)
    tried = changed(leaning, WIDTH=9)
    undone = changed(tried, WIDTH=1, HARM=-200)
    folder = made(
        sandbox,
        *(Candidate(source=s, hypothesis="idea") for s in (guarded, leaning, tried, undone)),
    )
    found = ablation(folder, sandbox, 20, no_progress)
    assert by_number(found) == {
        1: Worth.needed,
        2: Worth.worth,
        3: Worth.gone,
        4: Worth.worth,
    }
    assert found.changes[0].detail == "Without it, trial 1 ends as crash: unguarded"
    assert "the same program" in found.changes[2].detail


def test_without_a_champion_that_stands_there_is_nothing_to_compare_with() -> None:
    """Nothing kept, a champion that fails, and a fault of ours are errors with a reason."""
    text = changed(BASE, RATE=1)
    for later, fault, reason in (
        ("", Unusable, "nothing was kept"),
        ("crash", Failed, "champion's trial 2 ended as crash"),
        ("error", Failed, "sandbox could not run the champion, trial 2 of 2"),
    ):
        sandbox = FakeSandbox(landscape=worth)
        proposal = Candidate(source=f"{text}# fake: later={later}\n", hypothesis="idea")
        folder = made(sandbox, *([proposal] if later else []), name=f"run-{later}")
        with pytest.raises(fault, match=reason):
            ablation(folder, sandbox, 2, no_progress)


def test_the_report_has_it(sandbox: FakeSandbox) -> None:
    """On both pages, where what models wrote stays text; without being asked, there is none."""
    folder = night(sandbox)
    found = report_of(folder, ablation(folder, sandbox, 60, no_progress))
    for text in (html(found), markdown(found)):
        assert "What each change is worth now" in text
        for word in Worth:
            assert (word in text) == (word is not Worth.gone)
    assert "<script" not in html(found)
    rows = [line for line in markdown(found).splitlines() if line.startswith("| ")]
    assert [row for row in rows if "script" in row]
    assert not [row for row in rows if re.search(r"(?<!\\)<script", row)]
    assert "What each change is worth" not in html(report_of(folder))


def test_the_command_trains_tells_and_writes(sealed: Sealed) -> None:
    """The page is on stdout, what was found on stderr; as JSON it is one document."""
    text = "# fake: {}\nA = 0\n\nB = 0\n"
    replayed(
        sealed,
        text.format("score=0.9 spread=0.1"),
        text.format("score=0.4 spread=0.1"),
    )
    done = sealed("report", "--ablation", "--trials", "2")
    assert done.stdout.startswith("<!doctype html>")
    assert "What each change is worth now" in done.stdout
    assert "2 kept changes, 1 can be taken out: 2 trials of each" in done.stderr
    assert "experiment 1: cannot be taken out. Experiment 2 changed the same lines" in done.stderr
    assert "experiment 2: worth it, 0.5 (95 %: 0.4" in done.stderr
    out = document(sealed("report", "--ablation", "--trials", "2", "--json"))
    assert [change["worth"] for change in out["ablation"]["changes"]] == [
        "cannot be taken out",
        "worth it",
    ]
    assert document(sealed("report", "--json"))["ablation"] is None
    assert (
        "| 2 | worth it | 0.5 |"
        in sealed("report", "--ablation", "--trials", "2", "--format", "markdown").stdout
    )
    sealed("report", "--ablation", "--trials", "1", code=2)
