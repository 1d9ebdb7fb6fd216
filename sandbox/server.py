"""The API over a unix socket: HTTP, JSON bodies, long calls as one JSON document a line."""

import asyncio
import contextlib
import os
import signal
import socket
import stat
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from sandbox import wire
from sandbox.api import (
    Failed,
    FinishedTask,
    FinishedTrial,
    Line,
    OnProgress,
    Sandbox,
    TaskFiles,
    TrialRequest,
)
from sandbox.errors import BadRequest, EngineUnavailable, Internal, SandboxError

log = structlog.get_logger(__name__)

T = TypeVar("T")
Handler = Callable[[Request], Awaitable[Response]]
FIRST_CLIENT_SECONDS = 30.0
IDLE_SECONDS = 2.0
"""How long an on-demand sandbox outlives its last client."""


class Api:
    """Routes of one sandbox. Every error is a `Failed` body with status 4xx or 5xx."""

    def __init__(self, sandbox: Sandbox, until_idle: Callable[[], None] | None) -> None:
        self._sandbox = sandbox
        self._until_idle = until_idle
        self._leases = 0
        self._ending = False

    def app(self) -> Starlette:
        """The ASGI application."""
        sandbox = self._sandbox
        plain: list[tuple[str, Callable[[Any], object], Any]] = [
            (wire.INFO, lambda _: sandbox.info(), None),
            (wire.TASKS, lambda _: sandbox.tasks(), None),
            (wire.SURVEY, lambda name: sandbox.survey(name.name), wire.Name),
            (wire.FORGET, lambda name: sandbox.forget(name.name), wire.Name),
            (wire.RESULT, lambda name: sandbox.result(name.name), wire.Name),
            (wire.CANCEL, lambda name: sandbox.cancel(name.name), wire.Name),
            (wire.COMPARE, lambda b: sandbox.compare(b.first, b.second, b.run), wire.Sides),
            (wire.FINGERPRINT, lambda b: sandbox.fingerprint(b.candidate), wire.Source),
            (wire.RECEIPTS, lambda b: sandbox.receipts(b.run, b.count), wire.After),
            (wire.CLOSE_RUN, lambda b: sandbox.close_run(b.run, b.trials), wire.Kept),
            (wire.DOCTOR, lambda _: sandbox.doctor(), None),
            (wire.REAP, lambda _: sandbox.reap(), None),
        ]
        long: list[tuple[str, Callable[[Any, OnProgress], Line], Any]] = [
            (wire.PREPARE, lambda f, on: FinishedTask(task=sandbox.prepare(f, on)), TaskFiles),
            (wire.VERIFY, lambda n, on: FinishedTask(task=sandbox.verify(n.name, on)), wire.Name),
            (wire.RUN, lambda r, on: FinishedTrial(result=sandbox.run(r, on)), TrialRequest),
        ]
        routes = [Route(path, _plain(act, body), methods=["POST"]) for path, act, body in plain]
        routes += [Route(path, _long(act, body), methods=["POST"]) for path, act, body in long]
        routes.append(Route(wire.LEASE, self._lease, methods=["POST"]))
        return Starlette(routes=routes)

    async def _lease(self, _: Request) -> Response:
        if self._ending:
            fault = EngineUnavailable("The sandbox is ending.", "Start it again.")
            return _answer(_failed(fault), 503)

        async def hold() -> AsyncIterator[bytes]:
            self._leases += 1
            try:
                while True:
                    yield b"\n"
                    await asyncio.sleep(0.5)
            finally:
                self._leases -= 1
                if not self._leases and self._until_idle:
                    asyncio.get_running_loop().call_later(IDLE_SECONDS, self.end_if_idle)

        return StreamingResponse(hold())

    def end_if_idle(self) -> None:
        """End an on-demand sandbox that no client holds."""
        if not self._leases and self._until_idle:
            self._ending = True
            self._until_idle()


def _plain(act: Callable[[Any], object], body: Any) -> Handler:
    async def handler(request: Request) -> Response:
        try:
            argument = await _body(request, body)
            answer = await asyncio.to_thread(act, argument)
        except SandboxError as fault:
            return _answer(_failed(fault), 400)
        except Exception as fault:
            return _answer(_failed(_internal(fault)), 500)
        return _answer(answer)

    return handler


def _long(act: Callable[[Any, OnProgress], Line], body: Any) -> Handler:
    async def handler(request: Request) -> Response:
        try:
            argument = await _body(request, body)
        except SandboxError as fault:
            return _answer(_failed(fault), 400)
        loop = asyncio.get_running_loop()
        lines: asyncio.Queue[Line | None] = asyncio.Queue()

        def put(line: Line | None) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody reads any more
                loop.call_soon_threadsafe(lines.put_nowait, line)

        def work() -> None:
            try:
                put(act(argument, put))
            except SandboxError as fault:
                put(_failed(fault))
            except Exception as fault:
                put(_failed(_internal(fault)))
            put(None)

        # A thread of its own: it goes on to the trial's end when its reader has left.
        threading.Thread(target=work, name="call", daemon=True).start()

        async def stream() -> AsyncIterator[bytes]:
            while (line := await lines.get()) is not None:
                yield msgspec.json.encode(line) + b"\n"

        return StreamingResponse(stream(), media_type="application/x-ndjson")

    return handler


async def _body(request: Request, type_: Any) -> Any:
    if type_ is None:
        return None
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > wire.MOST_REQUEST_BYTES:
            raise BadRequest("The request is too large.", f"Send under {wire.MOST_REQUEST_BYTES}.")
    try:
        return msgspec.json.decode(bytes(data), type=type_)
    except (msgspec.ValidationError, msgspec.DecodeError) as fault:
        raise BadRequest(f"The request is not one of the API: {fault}.", "") from None


def _answer(body: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")


def _failed(fault: SandboxError) -> Failed:
    return Failed(kind=fault.kind, message=fault.message, next_step=fault.next_step)


def _internal(fault: Exception) -> Internal:
    log.error("unexpected", exc_info=fault)
    return Internal(
        f"The sandbox failed: {type(fault).__name__}: {fault}.",
        "Its log has the traceback; please report it.",
    )


def serve(sandbox: Sandbox, path: Path, *, on_demand: bool) -> None:
    """Serve until SIGTERM, or, `on_demand`, until no client is left.

    SIGINT is ignored: a Ctrl-C at a terminal goes to the client, which decides.

    The socket is its user's alone, unless its folder is setgid: who makes a folder so means to
    share what is in it with the folder's group.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    shared = path.parent.stat().st_mode & stat.S_ISGID
    path.unlink(missing_ok=True)
    ended = threading.Event()
    api = Api(sandbox, ended.set if on_demand else None)
    server = uvicorn.Server(
        uvicorn.Config(api.app(), log_config=None, lifespan="off", timeout_graceful_shutdown=1)
    )
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    with socket.socket(socket.AF_UNIX) as listener:
        mask = os.umask(0o117 if shared else 0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(mask)
        listener.listen()  # where the socket is, a client is not refused, but waits
        # In a thread of its own, where uvicorn leaves the signals to us.
        thread = threading.Thread(target=server.run, args=([listener],), name="api")
        thread.start()
        if on_demand:
            first = threading.Timer(FIRST_CLIENT_SECONDS, api.end_if_idle)
            first.daemon = True
            first.start()
        try:
            while thread.is_alive() and not ended.wait(0.5):
                pass
        finally:
            server.should_exit = True
            thread.join()
            path.unlink(missing_ok=True)
