"""The status page in a real browser: readable, alive, and running nothing that models wrote."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from controller.run import Run
from sandbox.api import Progress, Stage
from tests.support.hostile import MARKUP, add_hostile
from tests.support.page import served_page
from tests.unit.toy import Scripted, candidates, drive, fake, opened

pytestmark = pytest.mark.browser

PAGES = ["/", "/runs", "/runs/run", "/runs/run/experiments/3", "/runs/run/experiments/4"]


@contextmanager
def driven_run() -> Iterator[Run]:
    """A run that a process has open: kept and lost ones, a hostile one, and one in training."""
    sandbox = fake()
    with opened(sandbox, most_experiments=2) as run:
        drive(run, sandbox, Scripted(*candidates(0.2, 0.3)))
        add_hostile(run)
        begin(run, hypothesis="the one at hand")
        yield run


def begin(run: Run, hypothesis: str) -> None:
    """The next experiment is in training, for a minute."""
    champion = run.ledger.champion()
    assert champion is not None
    source = f"# {hypothesis}\n"
    run.ledger.propose(agent="a", hypothesis=hypothesis, candidate=source, parent=champion.number)
    experiment = run.ledger.unfinished()
    assert experiment is not None
    run.ledger.start(experiment, run.trial_key(experiment.number))
    run.ledger.begin_stage(experiment.number, Progress(stage=Stage.training, seconds=60))


@contextmanager
def looking(browser: Browser, url: str, width: int = 1280, scripts: bool = True) -> Iterator[Page]:
    """A page in a window so wide; at the end nothing was complained of or asked of others."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, java_script_enabled=scripts
    )
    page = context.new_page()
    troubles: list[str] = []

    def asked(request: Request) -> None:
        if urlsplit(request.url).netloc != urlsplit(url).netloc:
            troubles.append(f"asked {request.url}")

    page.on("request", asked)
    page.on("dialog", lambda dialog: troubles.append(f"dialog {dialog.message}"))
    page.on("pageerror", lambda error: troubles.append(f"error {error}"))
    page.on("console", lambda line: troubles.append(f"console {line.text}"))
    try:
        yield page
        assert troubles == []
    finally:
        context.close()


@pytest.mark.claim("page-runs-nothing-of-models")
@pytest.mark.parametrize("path", PAGES)
def test_nothing_that_models_wrote_is_run(browser: Browser, path: str) -> None:
    """No dialog, no error, no element of theirs, no request to another place."""
    with driven_run(), served_page() as url, looking(browser, url) as page:
        page.goto(url + path, wait_until="networkidle")
        page.wait_for_timeout(2500)  # over the first renewal
        assert page.url == url + path
        scripts = page.evaluate("[...document.scripts].map((script) => script.src)")
        assert scripts == [f"{url}/static/page.js"]
        assert page.locator("iframe, img, form, style, base, object, embed").count() == 0
        assert page.locator("main").is_visible()


def test_control_the_same_markup_runs_where_it_is_not_escaped(browser: Browser) -> None:
    """The attack is a real one: a page without this one's care is taken over."""
    context = browser.new_context()
    page = context.new_page()
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.set_content(f"<body><p>{MARKUP}</p></body>", wait_until="commit")
    page.wait_for_timeout(300)
    context.close()
    assert "script" in dialogs


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_fits_its_window(browser: Browser, path: str, width: int) -> None:
    """Nothing is beyond the right edge, hostile text included."""
    with driven_run(), served_page() as url, looking(browser, url, width) as page:
        page.goto(url + path)
        page.wait_for_timeout(200)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        reach = page.evaluate(
            "Math.max(...[...document.querySelectorAll('main > *, section > *, .card > *')]"
            ".map((part) => part.getBoundingClientRect().right))"
        )
        assert reach <= width
        # A name is not broken into letters for want of room.
        names = page.locator("tbody th a, .verdict, .runs .state").all()
        assert [name.inner_text() for name in names if name.bounding_box()["height"] > 40] == []


@pytest.mark.parametrize("width", [1280, 400])
def test_the_best_and_the_table_are_seen(browser: Browser, width: int) -> None:
    """The best without scrolling, in large letters; every experiment below."""
    with driven_run(), served_page() as url, looking(browser, url, width) as page:
        page.goto(url)
        best = page.locator("#best .big")
        expect(best).to_have_text("0.2 bits")
        box = best.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] < 900
        rows = page.get_by_role("table").get_by_role("row")
        assert rows.count() == 6  # the head, four experiments and the baseline
        expect(rows.nth(4)).to_contain_text("kept")
        expect(page.get_by_role("img")).to_be_visible()
        assert page.locator("circle.kept").count() == 2


def test_a_new_experiment_appears_without_a_reload(browser: Browser) -> None:
    """Where the reader is in the page stays, and what did not change is not touched."""
    with driven_run() as run, served_page() as url, looking(browser, url, 400) as page:
        page.goto(url)
        page.evaluate("window.mark = 1; document.getElementById('best').mark = 1")
        expect(page.locator("#now")).to_contain_text("experiment 4: training")
        seconds = int(page.locator(".count").inner_text())
        assert 50 <= seconds <= 60
        page.evaluate("window.scrollTo(0, 500)")
        unfinished = run.ledger.unfinished()
        assert unfinished is not None
        run.ledger.refuse_experiment(unfinished, "not run")
        begin(run, hypothesis="a bright new idea")
        expect(page.locator("#table")).to_contain_text("a bright new idea", timeout=10_000)
        assert page.evaluate("window.mark") == 1
        assert page.evaluate("document.getElementById('best').mark") == 1
        assert page.evaluate("window.scrollY") == 500


def test_seconds_are_counted_down_between_renewals(browser: Browser) -> None:
    """Also while the controller does not answer, which the page then says."""
    with driven_run():
        with served_page() as url:
            context = browser.new_context()
            page = context.new_page()
            page.goto(url)
            before = int(page.locator(".count").inner_text())
        expect(page.locator("#lost")).to_be_visible(timeout=10_000)
        assert int(page.locator(".count").inner_text()) < before
        context.close()


def test_the_page_works_without_scripts(browser: Browser) -> None:
    """All is there, and it reloads itself."""
    with (
        driven_run(),
        served_page() as url,
        looking(browser, url, scripts=False) as page,
    ):
        page.goto(url)
        expect(page.locator("#best .big")).to_have_text("0.2 bits")
        with page.expect_navigation(timeout=15_000):
            pass
        expect(page.locator("#now")).to_contain_text("training")
