"""What every answer of the page carries, and what no request may do.

The page executes nothing that it did not bring itself: no script, style, frame or picture of
another place, and none that stands in a page's text. It has no route that changes anything, and
no other site can read it: a browser that was led here by another name (DNS rebinding) is turned
away, and no answer allows another origin.
"""

from collections.abc import Sequence

from starlette.datastructures import MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Of every answer, errors included."""


class Guard:
    """Goes around the whole application."""

    def __init__(self, app: ASGIApp, hosts: Sequence[str]) -> None:
        """`hosts`: names by which a browser may ask for the page, without port."""
        self._app = TrustedHostMiddleware(app, allowed_hosts=list(hosts), www_redirect=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        if scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send_with_headers)
        else:
            text = "This page changes nothing. `sealed pause`, `resume` and `stop` do.\n"
            refusal = PlainTextResponse(text, status_code=405, headers={"Allow": "GET, HEAD"})
            await refusal(scope, receive, send_with_headers)
