"""What models wrote is text on the page, whatever it says; and the page is for nobody else."""

import re
from pathlib import Path

import httpx
import pytest

from controller.supervisor import Doing, Serving
from sandbox.api import Progress, Stage
from tests.support.hostile import MARKUP, TEXT, add_hostile
from tests.support.page import HOSTS
from tests.unit.toy import drive, fake, opened
from tests.unit.web import Page, asking, make_run, page

WEB = Path(__file__).parents[2] / "controller" / "web"
PAGES = ["/", "/runs", "/runs/run", "/runs/run/experiments/2", "/runs/run/experiments/0"]
TAGS = {
    *("a", "b", "blockquote", "body", "circle", "code", "dd", "desc", "div", "dl", "dt"),
    *("figcaption", "figure", "footer", "h1", "h2", "head", "header", "html", "li", "line"),
    *("link", "main", "meta", "nav", "noscript", "p", "pre", "progress", "script", "section"),
    *("span", "svg", "table", "tbody", "td", "text", "th", "thead", "time", "title", "tr", "ul"),
}
INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs of a test are its own."""
    monkeypatch.setenv("SEALED_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


def hostile_run() -> None:
    """Experiment 2 of it is all attack."""
    sandbox = fake()
    with opened(sandbox, most_experiments=1) as run:
        drive(run, sandbox)
        add_hostile(run)


def assert_tame(found: Page) -> None:
    """Only elements of the templates, no handler, and nothing from another place."""
    assert {tag for tag, _ in found.elements} <= TAGS
    for tag, attributes in found.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        for name in ("href", "src", "action"):
            value = attributes.get(name)
            assert value is None or re.fullmatch(r"/(?!/)[\w./?=-]*", value), (tag, value)
        if tag == "meta" and "http-equiv" in attributes:
            assert str(attributes["content"]).isdecimal()
    assert [attributes for tag, attributes in found.elements if tag == "script"] == [
        {"src": "/static/page.js", "defer": None}
    ]


@pytest.mark.claim("page-runs-nothing-of-models")
@pytest.mark.parametrize("path", PAGES)
def test_what_models_wrote_is_shown_as_text(path: str) -> None:
    """Markup, templates and terminal escapes in every field are letters on every page."""
    hostile_run()
    with asking() as client:
        answer = client.get(path)
    assert answer.status_code == 200
    assert_tame(Page(answer.text))
    assert not INVISIBLE.search(answer.text)
    assert "1337" not in answer.text  # 7 * 191
    if path.endswith("/2"):
        assert Page(answer.text).words.count(MARKUP[:300]) >= 5


@pytest.mark.claim("page-runs-nothing-of-models")
@pytest.mark.parametrize("path", ["/index.json", "/runs.json", "/runs/run.json"])
def test_json_has_no_control_characters_either(path: str) -> None:
    """It is read in terminals; the markup in it is text, and no browser takes it for a page."""
    hostile_run()
    with asking() as client:
        for found in (path, "/runs/run/experiments/2.json"):
            answer = client.get(found)
            assert answer.headers["content-type"] == "application/json"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert not INVISIBLE.search(answer.text)
            assert not INVISIBLE.search(str(answer.json()))
            assert "\\u001b" not in answer.text


@pytest.mark.claim("page-runs-nothing-of-models")
def test_texts_of_problems_are_text() -> None:
    """What a task's own log says, and what a person typed as an address."""
    serving = Serving(
        task=MARKUP,
        doing=Doing.waiting,
        since=MARKUP,
        run=None,
        stage=Progress(stage=Stage.building, detail=TEXT),
        problem=TEXT,
        next_step=f"`{TEXT}` and {TEXT}",
    )
    with asking(serving) as client:
        assert_tame(page(client, "/"))
        for path in ("/runs/<script>alert(1)</script>", "/<img src=x onerror=alert(1)>"):
            assert_tame(page(client, path, status=404))
            assert_tame(page(client, f"/?page={path}"))


def test_templates_mark_nothing_as_safe() -> None:
    """Nothing goes around the escaping, and every attribute has its quotes."""
    templates = sorted((WEB / "templates").glob("*.html"))
    assert len(templates) >= 6
    for file in templates:
        text = file.read_text()
        assert not re.search(r"\|\s*safe|autoescape|Markup|\|\s*xmlattr", text), file.name
        assert not re.search(r"\s[\w-]+=\s*\{\{", text), file.name
        assert not re.search(r"\sstyle=|\son\w+=", text), file.name
    code = "".join(file.read_text() for file in WEB.glob("*.py"))
    assert code.count("Markup") == 2  # its import, and the one look at it
    assert "innerHTML" not in (WEB / "static" / "page.js").read_text()


def test_what_is_served_names_no_other_place() -> None:
    """No page, style or script has an address of another host in it."""
    for file in (*(WEB / "templates").iterdir(), *(WEB / "static").iterdir()):
        text = file.read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|url\(|@import|//[a-z]+\.", text), file.name


def test_a_huge_log_is_shown_in_bounds() -> None:
    """The page stays small enough to open, and fast enough to serve."""
    sandbox = fake()
    with opened(sandbox, most_experiments=1) as run:
        drive(run, sandbox)
        add_hostile(run, log="<&>" * 2_000_000)
    with asking() as client:
        answer = client.get("/runs/run/experiments/2")
    assert answer.status_code == 200
    assert len(answer.content) < 3_000_000
    assert answer.elapsed.total_seconds() < 10


def test_a_candidate_of_very_many_lines_is_not_compared() -> None:
    """Comparing takes time that grows with the square of the lines, and who proposes chooses."""
    sandbox = fake()
    with opened(sandbox, most_experiments=1) as run:
        drive(run, sandbox)
        run.ledger.propose(agent="a", hypothesis="h", candidate="a\nb\n" * 16_000, parent=1)
    with asking() as client:
        assert "too many lines to compare" in page(client, "/runs/run/experiments/2").text
        assert client.get("/runs/run/experiments/2.json").json()["diff"] is None


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "evil.example:80"])
def test_another_name_for_this_host_is_turned_away(host: str) -> None:
    """A page of others whose name was rebound to this address gets nothing."""
    make_run()
    with asking() as client:
        for path in ("/", "/runs.json", "/git/run.git/HEAD", "/healthz", "/static/page.css"):
            answer = client.get(path, headers={"Host": host})
            assert answer.status_code == 400
            assert "content-security-policy" in answer.headers
            assert "run" not in answer.text


@pytest.mark.parametrize("host", [*HOSTS, "LOCALHOST:8000"])
def test_the_names_of_this_host_are_known(host: str) -> None:
    """With any port."""
    with asking() as client:
        assert client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "LOCK"])
def test_nothing_can_be_changed(method: str) -> None:
    """Every method but GET and HEAD is refused, on every path."""
    make_run()
    with asking() as client:
        for path in ("/", "/runs/run", "/runs/run.json", "/git/run.git/HEAD", "/nothing"):
            answer = client.request(method, path)
            assert answer.status_code == 405
            assert answer.headers["allow"] == "GET, HEAD"
            assert "sealed pause" in answer.text


def test_head_is_answered_like_get() -> None:
    """The same headers, and no body."""
    make_run()
    with asking() as client:
        for path in ("/", "/runs.json", "/git/run.git/info/refs", "/static/page.js", "/healthz"):
            answer = client.head(path)
            assert (answer.status_code, answer.content) == (200, b"")


def test_every_answer_carries_the_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages, data, files, errors, and our own faults too."""
    make_run()
    paths = [
        *PAGES[:3],
        "/runs.json",
        "/nothing",
        "/static/page.js",
        "/git/run.git/HEAD",
        "/healthz",
    ]

    def fail(_: object) -> None:
        raise ZeroDivisionError("a secret of the trace")

    with asking() as client:
        answers = [client.get(path) for path in paths]
        monkeypatch.setattr("controller.web.views.run_lines", fail)
        answers.append(client.get("/runs"))
    assert answers[-1].status_code == 500
    assert "secret" not in answers[-1].text
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in answer.headers


def test_a_redirect_stays_here() -> None:
    """A slash too many leads to the page without it, on the host that was asked."""
    make_run()
    with asking() as client:
        answer = client.get("/runs/")
    assert answer.status_code == 307
    assert httpx.URL(answer.headers["location"]).path == "/runs"
    assert httpx.URL(answer.headers["location"]).host == "127.0.0.1"
