"""`sealed serve`: the page, and beside it a task's run, for as long as the process lives."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from controller.agents import Kind
from controller.cli import models
from controller.cli.accept import Accept
from controller.cli.connection import connected
from controller.cli.control_arm import Control
from controller.cli.output import say
from controller.driver import Order
from controller.errors import Unusable
from controller.ledger import RunLimits
from controller.llm.models import REPLY_TOKENS, Wish
from controller.supervisor import Supervisor
from controller.task import find_task

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_STOP_SECONDS = 5


def serve(
    task: Annotated[
        str | None,
        typer.Argument(
            metavar="[TASK]",
            envvar="SEALED_TASK",
            help="Drive this task's newest run, or its first. Without one: the page alone.",
        ),
    ] = None,
    agent: Annotated[
        Kind | None,
        typer.Option(
            envvar="SEALED_AGENT", help="What proposes; default: search; with --model: llm."
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="PATH|RUN", envvar="SEALED_FROM", help="What a replay proposes."
        ),
    ] = None,
    control: Control = None,
    model: models.Models = None,
    endpoint: models.Endpoint = None,
    price_in: models.PriceIn = None,
    price_out: models.PriceOut = None,
    reply_tokens: models.ReplyTokens = REPLY_TOKENS,
    experiments: Annotated[
        int | None, typer.Option(envvar="SEALED_EXPERIMENTS", min=0, help="Halt after so many.")
    ] = None,
    hours: Annotated[
        float | None, typer.Option(envvar="SEALED_HOURS", min=0, help="Halt after so many hours.")
    ] = None,
    plateau: Annotated[
        int | None,
        typer.Option(envvar="SEALED_PLATEAU", min=1, help="Halt after so many without a gain."),
    ] = None,
    dollars: Annotated[
        float | None,
        typer.Option(envvar="SEALED_DOLLARS", min=0, help="Halt before models cost more."),
    ] = None,
    tokens: Annotated[
        int | None, typer.Option(envvar="SEALED_TOKENS", min=0, help="The same in tokens.")
    ] = None,
    calls: Annotated[
        int | None, typer.Option(envvar="SEALED_CALLS", min=0, help="The same in calls.")
    ] = None,
    dollars_a_day: Annotated[
        float | None,
        typer.Option(
            envvar="SEALED_DOLLARS_A_DAY",
            min=0,
            help="Wait for the next day (UTC) before they cost more.",
        ),
    ] = None,
    tokens_a_day: Annotated[
        int | None, typer.Option(envvar="SEALED_TOKENS_A_DAY", min=0, help="The same in tokens.")
    ] = None,
    calls_a_day: Annotated[
        int | None, typer.Option(envvar="SEALED_CALLS_A_DAY", min=0, help="The same in calls.")
    ] = None,
    hours_a_day: Annotated[
        float | None,
        typer.Option(envvar="SEALED_HOURS_A_DAY", min=0, help="Run so many hours of a day."),
    ] = None,
    accept: Accept = None,
    host: Annotated[
        str, typer.Option(envvar="SEALED_HOST", help="Address that the page listens on.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(envvar="SEALED_PORT", min=0, max=65535, help="Its port; 0: any.")
    ] = 8000,
) -> None:
    """Serve the page, and drive a task's run beside it.

    The run goes on after a restart. What passes (a sandbox that restarts, a full disk) is waited
    for; what does not is told on the page.
    """
    limits = RunLimits(
        most_experiments=experiments,
        most_hours=hours,
        plateau=plateau,
        most_dollars=dollars,
        most_tokens=tokens,
        most_calls=calls,
        most_dollars_a_day=dollars_a_day,
        most_tokens_a_day=tokens_a_day,
        most_calls_a_day=calls_a_day,
        most_hours_a_day=hours_a_day,
    )
    wish = Wish(
        names=tuple(model or ()),
        endpoint=endpoint,
        price_in=price_in,
        price_out=price_out,
        reply_tokens=reply_tokens,
    )
    supervisor = None
    if task is not None:
        find_task(task)
        order = Order(
            task=task,
            agent=agent,
            source=source,
            control=control,
            models=wish,
            limits=limits,
            accepted=tuple(accept or ()),
        )
        supervisor = Supervisor(order, connected)
    with _served(host, port, supervisor):
        if supervisor is not None:
            supervisor.run()
        threading.Event().wait()


@contextmanager
def _served(host: str, port: int, supervisor: Supervisor | None) -> Iterator[None]:
    """The page, served in a thread for as long as this lasts. Raises `Unusable`."""
    listener = _listener(host, port)
    import uvicorn  # slow to import, and most verbs need none

    from controller.web.app import make_app

    # A browser names the host that it asks: another name is a page of others, rebound to here.
    app = make_app(supervisor.serving if supervisor else lambda: None, hosts=_LOOPBACK)
    server = uvicorn.Server(
        uvicorn.Config(
            app, log_config=None, lifespan="off", timeout_graceful_shutdown=1, access_log=False
        )
    )
    # In a thread, where uvicorn leaves the signals to us.
    thread = threading.Thread(target=server.run, args=([listener],), name="page", daemon=True)
    thread.start()
    say(f"the page is at http://{host}:{listener.getsockname()[1]}/")
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(_STOP_SECONDS)


def _listener(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port))
    except OSError as fault:
        raise Unusable(
            f"The page can't listen on {host}, port {port}: {fault.strerror}.",
            "Give another --port, or set SEALED_PORT.",
        ) from None
