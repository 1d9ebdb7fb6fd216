"""The page's application: routes, and errors as pages that name the next step.

Every page has the same data as JSON beside it. Handlers run in threads and open ledgers for their
own request, read-only; there is no state here and no route that changes anything.
"""

import re
import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import structlog
from msgspec import Struct
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from controller.errors import ControllerError, NotFound
from controller.supervisor import Serving
from controller.web import views, words
from controller.web.environment import STATIC, templates
from controller.web.git import serve_git
from controller.web.guard import HEADERS, Guard

log = structlog.get_logger(__name__)

_STATIC = {
    "page.css": "text/css",
    "page.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
_JSON = ".json"

View = Callable[[Request], Struct]


def make_app(serving: Callable[[], Serving | None], hosts: Sequence[str]) -> Starlette:
    """The page of all runs in `runs_root()`.

    `serving` tells how the process stands that drives a run beside the page; it is called in
    threads. `hosts` are the names by which a browser may ask for it, without port.
    """

    def index(_: Request) -> Struct:
        return views.index(serving())

    def runs(_: Request) -> Struct:
        return Runs(items=views.run_lines(serving()))

    def run(request: Request) -> Struct:
        page = _number(request.query_params.get("page", "1"), "page")
        return views.run_view(request.path_params["name"], serving(), page)

    def experiment(request: Request) -> Struct:
        number = _number(request.path_params["number"], "experiment")
        return views.experiment_view(request.path_params["name"], number)

    routes = [
        Route("/healthz", _health),
        Route("/static/{name}", _static),
        Route("/git/{name}.git/{path:path}", serve_git),
        Route("/", partial(_page, "index.html", index)),
        Route("/index.json", partial(_json, index)),
    ]
    # A page's own name may end in `.json`: the JSON route comes first and takes the last one.
    for path, view, template in (
        ("/runs", runs, "runs.html"),
        ("/runs/{name}", run, "run.html"),
        ("/runs/{name}/experiments/{number}", experiment, "experiment.html"),
    ):
        routes.append(Route(path + _JSON, partial(_json, view)))
        routes.append(Route(path, partial(_page, template, view)))
    return Starlette(
        routes=routes,
        middleware=[Middleware(Guard, hosts=hosts)],
        exception_handlers={
            HTTPException: _no_page,
            ControllerError: _problem,
            sqlite3.Error: _problem,
            OSError: _problem,
            Exception: _fault,
        },
    )


class Runs(Struct, frozen=True, kw_only=True):
    """All runs, the newest first."""

    items: list[views.RunLine]


class Problem(Struct, frozen=True, kw_only=True):
    """What is wrong, and what to do next."""

    error: str
    next_step: str


def _page(template: str, view: View, request: Request) -> Response:
    return _html(template, request, view=view(request))


def _json(view: View, request: Request) -> Response:
    return Response(words.document(view(request)), media_type="application/json")


async def _health(_: Request) -> Response:
    return Response(b'{"ok": true}\n', media_type="application/json")


def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _STATIC:
        raise NotFound("There is no such file.", "/ has the page.")
    return Response((STATIC / name).read_bytes(), media_type=_STATIC[name])


def _number(text: str, what: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise NotFound(f"{text[:20]!r} is no number of a {what}.", "/runs has the list of runs.")
    return int(text)


# ---- errors -----------------------------------------------------------------------------------


async def _no_page(request: Request, fault: Exception) -> Response:
    """Starlette's own: no route."""
    status = fault.status_code if isinstance(fault, HTTPException) else 500
    text = "There is no such page." if status == 404 else "This can't be answered."
    return _told(request, status, Problem(error=text, next_step="/runs has the list of runs."))


async def _problem(request: Request, fault: Exception) -> Response:
    if isinstance(fault, ControllerError):
        status = 404 if isinstance(fault, NotFound) else 500
        return _told(
            request, status, Problem(error=fault.message, next_step=fault.next_step or "/runs")
        )
    log.warning("unreadable", path=request.url.path, error=str(fault))
    next_step = "Look at the file and its permissions; `sealed status` tells more."
    return _told(request, 500, Problem(error=views.problem_of(fault), next_step=next_step))


async def _fault(request: Request, _: Exception) -> Response:
    """Our own mistake. It is logged with its trace, which is not for the page."""
    problem = Problem(error="The page failed.", next_step="The controller's log has the reason.")
    answer = _told(request, 500, problem)
    answer.headers.update(HEADERS)  # this one does not pass the guard
    return answer


def _told(request: Request, status: int, problem: Problem) -> Response:
    if request.url.path.endswith(_JSON):
        return Response(words.document(problem), status, media_type="application/json")
    return _html("problem.html", request, status, problem=problem)


# ---- templates --------------------------------------------------------------------------------


def _html(template: str, request: Request, status: int = 200, **values: Any) -> Response:
    text = templates.get_template(template).render(
        now=words.iso(datetime.now(UTC)), origin=str(request.base_url).rstrip("/"), **values
    )
    return Response(text, status, media_type="text/html")
