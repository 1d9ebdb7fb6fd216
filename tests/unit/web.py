"""Pages asked and read as a browser would, for tests of the page."""

from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser

import httpx

from controller.run import Run
from controller.supervisor import Serving
from tests.support.page import served_page
from tests.unit.toy import Scripted, candidates, drive, fake, opened

SCORES = (0.3, "outcome=crash reason=no", 0.2, 0.25)


@contextmanager
def asking(serving: Serving | None = None) -> Iterator[httpx.Client]:
    """A client of a page that is served."""
    with served_page(lambda: serving) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


def make_run(name: str = "run", *scores: float | str, halted: bool = True) -> Run:
    """A run with these scores after the baseline's; closed again."""
    sandbox = fake()
    scores = scores or SCORES
    most = len(scores) if halted else None
    with opened(sandbox, name=name, most_experiments=most) as run:
        drive(run, sandbox, Scripted(*candidates(*scores)))
    return run


class Page(HTMLParser):
    """What elements and what text a page has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data

    @property
    def text(self) -> str:
        """White space collapsed."""
        return " ".join(self.words.split())

    def links(self) -> list[str]:
        return [str(attrs["href"]) for tag, attrs in self.elements if tag == "a"]


def page(client: httpx.Client, path: str, status: int = 200) -> Page:
    """The page at a path."""
    answer = client.get(path)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return Page(answer.text)
