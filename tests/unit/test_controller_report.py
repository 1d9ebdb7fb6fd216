"""`sealed report`: what a run came to, on a page that loads nothing and runs nothing."""

import re
from pathlib import Path

import pytest
from msgspec.structs import replace as replaced

from controller.candidate import Candidate
from controller.report import report_of
from controller.report.html import html
from controller.report.markdown import markdown
from controller.runs import runs_root
from sandbox.api import TrialRequest
from sandbox.fake.sandbox import FakeSandbox
from tests.support.hostile import MARKUP, TEXT
from tests.unit.command import Sealed
from tests.unit.toy import Scripted, candidates, drive, opened
from tests.unit.web import Page

LINK = re.compile(r"(?<!\\)\]\(|(?<![\\\w`])https?://|(?<!\\)<\w")


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of a test are its own."""
    monkeypatch.setenv("SEALED_RUNS", str(tmp_path / "runs"))


def made(*proposals: Candidate) -> Path:
    """The folder of a run of these proposals."""
    sandbox = FakeSandbox(landscape=lambda _: 1.0)
    with opened(sandbox) as run:
        drive(run, sandbox, Scripted(*proposals))
        return run.folder


def test_a_report_has_what_was_gained_and_why() -> None:
    """Gain, tests spent, and each kept change with its interval, hypothesis and diff."""
    found = report_of(made(*candidates("score=0.8 spread=0.1", 0.9, "outcome=crash", 0.5)))
    assert [kept.number for kept in found.kept] == [1, 4]
    assert found.gain == pytest.approx(0.5)
    assert found.percent == pytest.approx(50)
    assert found.trials == 5
    first = found.kept[0]
    assert first.low is not None
    assert first.high is not None
    assert first.low < 0.2 < first.high
    assert found.verified is not None
    assert found.verified.findings == []
    for text in (html(found), markdown(found)):
        assert "idea 1" in text
        assert "idea 4" in text
        assert "idea 2" not in text
        assert "score=0.8 spread=0.1" in text
        assert "50" in text


def test_a_run_without_a_gain_says_so() -> None:
    """No gain is claimed where none was kept."""
    found = report_of(made(*candidates("outcome=crash")))
    assert "Nothing better" in html(found)
    assert "Nothing better" in markdown(found)


def test_the_vault_is_told_of_what_was_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the closing receipt alone; a score on it that was not kept stays sealed."""
    run = FakeSandbox.run

    def with_vault(sandbox: FakeSandbox, request: TrialRequest, *on: object) -> object:
        return run(sandbox, replaced(request, vault=True), *on)  # type: ignore[arg-type]

    monkeypatch.setattr(FakeSandbox, "run", with_vault)
    found = report_of(made(*candidates(0.75, 0.9)))
    assert (found.kept[0].vault, found.baseline_vault) == (0.75, 1.0)
    assert "0.75, the baseline 1" in markdown(found)
    folder = runs_root() / "run"
    (folder / "receipts.pem").unlink()
    assert report_of(folder).kept[0].vault is None


@pytest.mark.claim("page-runs-nothing-of-models")
def test_what_models_wrote_is_text_in_the_report() -> None:
    """No element, handler or address of a hypothesis or candidate is the page's, nor Markdown's."""
    bad = f"[here](http://evil.example/) ![x](//evil.example/) ```\n# head\n~~~\n{MARKUP}{TEXT}"
    folder = made(
        Candidate(source=f"# fake: score=0.5\n'''{bad[:9000]}'''\n", hypothesis=bad[:9000]),
    )
    found = report_of(folder)
    assert [kept.number for kept in found.kept] == [1]
    page = html(found)
    elements = Page(page).elements
    assert {tag for tag, _ in elements}.isdisjoint({"script", "img", "iframe", "a", "link", "base"})
    for tag, attributes in elements:
        assert not [name for name in attributes if name.startswith("on") or name in ("href", "src")]
        assert tag != "meta" or attributes.get("http-equiv") in (None, "Content-Security-Policy")
    outside, fence = [], ""
    for line in markdown(found).splitlines():
        if mark := re.match(r"`{3,}", line):
            fence = "" if fence and line == fence else fence or mark[0]
        elif not fence:
            outside.append(line)
    assert fence == ""
    assert "## Experiment 1: 0.5 bits" in outside
    assert not [line for line in outside if LINK.search(line)]
    for text in (page, markdown(found)):
        assert "\x1b" not in text
        assert "\u202e" not in text


def test_a_report_is_one_file(sealed: Sealed, tmp_path: Path) -> None:
    """HTML or Markdown on stdout; a run that is not there is not found."""
    sealed("run", "toy", "--name", "run", "--experiments", "2")
    page = sealed("report").output
    assert page.startswith("<!doctype html>")
    assert "</html>" in page
    assert not re.search(r"""(src|href)=|@import|url\(""", page)
    assert sealed("report", "run", "--format", "markdown").output.startswith("# run\n")
    sealed("report", "other", code=4)
