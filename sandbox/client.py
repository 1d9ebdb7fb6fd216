"""The client: the same `api.Sandbox`, over the socket. Starts a sandbox where none listens."""

import contextlib
import fcntl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import httpx
import msgspec

from sandbox import wire
from sandbox.api import (
    Chain,
    Check,
    Comparison,
    Failed,
    FinishedTask,
    FinishedTrial,
    Info,
    Line,
    OnProgress,
    Progress,
    Reaped,
    Task,
    TaskFiles,
    TrialRequest,
    TrialResult,
    no_progress,
)
from sandbox.config import Config, from_environment
from sandbox.errors import EngineUnavailable, Internal, from_kind

T = TypeVar("T")
_START_SECONDS = 60
_GONE = "Start it again; what was running has been cancelled, and its key is free."


class SandboxClient:
    """Implements `api.Sandbox` over a unix socket; thread-safe."""

    def __init__(self, socket: Path) -> None:
        self._http = httpx.Client(
            transport=httpx.HTTPTransport(uds=str(socket)),
            base_url="http://sandbox",
            timeout=httpx.Timeout(None, connect=10),
        )

    def close(self) -> None:
        """Close the connections; a lease that is held ends."""
        self._http.close()

    def info(self) -> Info:
        """See `api.Sandbox`."""
        return self._call(wire.INFO, None, Info)

    def prepare(self, files: TaskFiles, on_progress: OnProgress = no_progress) -> Task:
        """See `api.Sandbox`."""
        return self._long(wire.PREPARE, files, on_progress, FinishedTask).task

    def tasks(self) -> list[Task]:
        """See `api.Sandbox`."""
        return self._call(wire.TASKS, None, list[Task])

    def verify(self, task: str, on_progress: OnProgress = no_progress) -> Task:
        """See `api.Sandbox`."""
        return self._long(wire.VERIFY, wire.Name(task), on_progress, FinishedTask).task

    def survey(self, task: str) -> list[Check]:
        """See `api.Sandbox`."""
        return self._call(wire.SURVEY, wire.Name(task), list[Check])

    def forget(self, task: str) -> None:
        """See `api.Sandbox`."""
        self._call(wire.FORGET, wire.Name(task), type(None))

    def run(self, request: TrialRequest, on_progress: OnProgress = no_progress) -> TrialResult:
        """See `api.Sandbox`."""
        return self._long(wire.RUN, request, on_progress, FinishedTrial).result

    def result(self, key: str) -> TrialResult:
        """See `api.Sandbox`."""
        return self._call(wire.RESULT, wire.Name(key), TrialResult)

    def cancel(self, key: str) -> None:
        """See `api.Sandbox`."""
        self._call(wire.CANCEL, wire.Name(key), type(None))

    def compare(self, first: Sequence[str], second: Sequence[str], run: str = "") -> Comparison:
        """See `api.Sandbox`."""
        return self._call(wire.COMPARE, wire.Sides(list(first), list(second), run), Comparison)

    def receipts(self, run: str, after: int) -> Chain:
        """See `api.Sandbox`."""
        return self._call(wire.RECEIPTS, wire.After(run, after), Chain)

    def close_run(self, run: str, kept: Sequence[str]) -> None:
        """See `api.Sandbox`."""
        self._call(wire.CLOSE_RUN, wire.Kept(run, list(kept)), type(None))

    def fingerprint(self, candidate: str) -> str:
        """See `api.Sandbox`."""
        return self._call(wire.FINGERPRINT, wire.Source(candidate), str)

    def doctor(self) -> list[Check]:
        """See `api.Sandbox`."""
        return self._call(wire.DOCTOR, None, list[Check])

    def reap(self) -> Reaped:
        """See `api.Sandbox`."""
        return self._call(wire.REAP, None, Reaped)

    def hold_lease(self) -> bool:
        """Keep the sandbox alive until this client is closed or its process dies.

        False if it gives no lease: its last client has left, and it is ending.
        """
        held, answered = threading.Event(), threading.Event()

        def hold() -> None:
            with (
                contextlib.suppress(httpx.HTTPError, RuntimeError),
                self._http.stream("POST", wire.LEASE) as response,
            ):
                for _ in response.iter_raw():
                    if response.status_code == 200:
                        held.set()
                    answered.set()
            answered.set()

        threading.Thread(target=hold, name="lease", daemon=True).start()
        answered.wait(10)
        return held.is_set()

    def _call(self, path: str, body: object, answer: type[T]) -> T:
        try:
            response = self._http.post(path, content=msgspec.json.encode(body))
        except httpx.HTTPError as fault:
            raise _lost(fault) from None
        _raise_failed(response.status_code, response.content)
        return msgspec.json.decode(response.content, type=answer)

    def _long(self, path: str, body: object, on_progress: OnProgress, finished: type[T]) -> T:
        try:
            with self._http.stream("POST", path, content=msgspec.json.encode(body)) as response:
                if response.status_code != 200:
                    _raise_failed(response.status_code, response.read())
                for text in response.iter_lines():
                    line: Line = msgspec.json.decode(text, type=Line)
                    if isinstance(line, Failed):
                        raise from_kind(line.kind, line.message, line.next_step)
                    if isinstance(line, Progress):
                        on_progress(line)
                    elif isinstance(line, finished):
                        return line
        except httpx.HTTPError as fault:
            raise _lost(fault) from None
        raise EngineUnavailable("The sandbox ended in the middle of the call.", _GONE)


def _raise_failed(status: int, content: bytes) -> None:
    if status != 200:
        try:
            failed = msgspec.json.decode(content, type=Failed)
        except msgspec.MsgspecError:
            raise Internal(f"The sandbox answered with status {status}.", _GONE) from None
        raise from_kind(failed.kind, failed.message, failed.next_step)


def _lost(fault: Exception) -> EngineUnavailable:
    return EngineUnavailable(f"The sandbox does not answer: {fault}.", _GONE)


@contextlib.contextmanager
def connect() -> Iterator[SandboxClient]:
    """A client of the sandbox at `SEALED_SOCKET`, or of one that is started for as long as needed.

    A sandbox that was started here lives until its last client has gone. One that others run is
    never started here. Raises `SandboxError` with the reason if none answers.
    """
    config = from_environment()
    client = SandboxClient(config.socket)
    try:
        if config.on_demand:
            config.home.mkdir(parents=True, exist_ok=True, mode=0o700)
            with (config.home / "start.lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                _lease(config, client)
        elif not (config.socket.exists() and _listens(client)):
            raise EngineUnavailable(
                f"No sandbox answers at {config.socket}.",
                "Look at `docker compose logs sandbox`, or unset SEALED_SOCKET.",
            )
        yield client
    finally:
        client.close()


def _lease(config: Config, client: SandboxClient) -> None:
    """Hold a lease of the sandbox that listens, or of one started now."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if not _listens(client):
            _start(config, client)
        if client.hold_lease():
            return
        time.sleep(0.1)  # it is ending: the next one can start when it has gone
    raise Internal("The sandbox gives no lease.", f"Its log is {config.home / 'sandbox.log'}.")


def _listens(client: SandboxClient) -> bool:
    try:
        client.info()
    except EngineUnavailable:
        return False
    return True


def _start(config: Config, client: SandboxClient) -> None:
    # Its log is a file that it keeps short itself; here is what it says when it can't.
    said = config.home / "sandbox.err"
    with said.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "sandbox", "serve", "--on-demand"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise _why(said)
        if config.socket.exists() and _listens(client):
            return
        time.sleep(0.05)
    process.terminate()
    raise Internal("The sandbox did not start.", f"Its log is {config.home / 'sandbox.log'}.")


def _why(said: Path) -> Exception:
    last = said.read_text(errors="replace").strip().rsplit("\n", 1)[-1]
    parts = last.split("\t")
    if len(parts) == 3:
        return from_kind(*parts)
    return Internal(f"The sandbox did not start: {last[:300]}", f"All that it said: {said}.")
