"""An engine without containers: its streams are socket pairs, its programs functions in threads.

For tests of what lies between the streams, where a container's program has to misbehave to the
byte or the millisecond. `RoleContainer` is the real one; tests of containers use a real engine.
"""

import copy
import io
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any, BinaryIO, cast

from sandbox.connection import Connection
from sandbox.errors import EngineUnavailable
from sandbox.policy import Role
from sealed_task import Predictors, frames, values
from sealed_task.expect import from_plain
from sealed_task.frames import Kind

STDOUT, STDERR = 1, 2


def piece(stream: int, data: bytes) -> bytes:
    """One piece of the engine's multiplex format."""
    return struct.pack(">B3xI", stream, len(data)) + data


def inspected(spec: dict[str, Any]) -> dict[str, Any]:
    """What an engine that did as it was told answers to `inspect`."""
    spec = copy.deepcopy(spec)
    host = spec.pop("HostConfig")
    config = spec | {"Labels": {"sealed.image": "agent"} | spec["Labels"], "Env": ["PATH=/bin"]}
    return {
        "Image": spec["Image"],
        "Config": config | {"Entrypoint": None, "Volumes": None},
        "HostConfig": host | {"Privileged": False, "CapAdd": None, "PidMode": "", "Binds": None},
        "Mounts": [
            {"Name": m["Source"], "Destination": m["Target"], "RW": not m["ReadOnly"]}
            for m in host["Mounts"]
        ],
    }


class Wire:
    """A program's standard streams: frames come in bare, and go out in the engine's pieces."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self.incoming = cast(BinaryIO, end.makefile("rb"))
        self.outgoing = cast(BinaryIO, _Pieces(end))

    def read(self) -> tuple[int, bytes, int]:
        """The next frame; `EOFError` when the container was killed."""
        try:
            return frames.read(self.incoming)
        except OSError:
            raise EOFError from None

    def write(self, kind: Kind, payload: bytes = b"", nonce: int = 0) -> None:
        """Send a frame."""
        frames.write(self.outgoing, kind, payload, nonce)

    def out(self, data: bytes) -> None:
        """Write bytes to stdout."""
        self._end.sendall(piece(STDOUT, data))

    def err(self, data: bytes) -> None:
        """Write bytes to stderr."""
        self._end.sendall(piece(STDERR, data))

    def close(self) -> None:
        """End the program's streams."""
        self.incoming.close()
        self._end.close()


class _Pieces(io.RawIOBase):
    def __init__(self, end: socket.socket) -> None:
        self._end = end

    def write(self, data: Any, /) -> int:
        self._end.sendall(piece(STDOUT, bytes(data)))
        return len(data)


Program = Callable[[Wire], None]
"""Ends when it returns; an `EOFError` or a broken pipe ends it too."""


class PlayedEngine:
    """What `RoleContainer` asks of an engine. `events` has what was asked, in order."""

    def __init__(self, **programs: list[Program]) -> None:
        self.programs = programs
        """By role, in the order in which containers of that role are started."""
        self.events: list[str] = []
        self.faults: list[BaseException] = []
        """What programs raised; a test ends with none."""
        self.alive: set[str] = set()
        self.names: dict[str, str] = {}
        self.hungry = False
        """Whether the kernel is said to have killed for memory."""
        self.freezes: dict[str, int] = {}
        """Which try to freeze a container succeeds; the first, if nothing is said."""
        self._specs: dict[str, dict[str, Any]] = {}
        self._ends: dict[str, list[socket.socket]] = {}
        self._timers: dict[str, socket.socket] = {}
        self._threads: list[threading.Thread] = []

    def armed(self, container: str) -> bytes:
        """What the container's timer was told."""
        return self._timers[container].recv(100, socket.MSG_DONTWAIT)

    def stop(self) -> None:
        """End every program."""
        for container in list(self._specs):
            self.kill(container)
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive(), "a program hangs"
        for ends in self._ends.values():
            for end in ends:
                end.close()

    # ---- what RoleContainer calls ----------------------------------------------------------

    def create(self, spec: dict[str, Any], name: str) -> str:
        """Containers are called by their role and a number."""
        role = spec["Labels"]["sealed.role"]
        container = f"{role}-{sum(c.startswith(role) for c in self._specs) + 1}"
        self._specs[container] = spec
        self._ends[container] = []
        return container

    def inspect(self, container: str) -> dict[str, Any]:
        return inspected(self._specs[container])

    def attach(self, container: str, *, output: bool) -> Connection:
        ours, theirs = self._pair(container)
        if output:
            self._play(container, theirs)
        else:
            self._timers[container] = theirs
        return Connection(ours, b"", _Response())

    def start(self, container: str) -> None:
        self.alive.add(container)

    def execute(self, container: str, spec: dict[str, Any]) -> tuple[str, Connection]:
        ours, theirs = self._pair(container)
        self._play(container, theirs)
        return f"exec-{container}", Connection(ours, b"", _Response())

    def kill(self, container: str) -> None:
        if container in self.alive:
            self.events.append(f"kill {container}")
        self.alive.discard(container)
        for end in self._ends[container]:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    remove = kill

    def dead_within(self, container: str, seconds: float) -> bool:
        return container not in self.alive

    def running(self, container: str) -> bool:
        return container in self.alive

    def pause(self, container: str) -> None:
        self.freezes[container] = self.freezes.get(container, 1) - 1
        if self.freezes[container] > 0:
            raise EngineUnavailable("The engine refused: unable to freeze.", "")
        del self.freezes[container]
        self.events.append(f"pause {container}")

    def unpause(self, container: str) -> None:
        self.events.append(f"unpause {container}")

    def ran_out_of_memory(self, container: str, since: int, until: int) -> bool:
        return self.hungry

    # ---- programs --------------------------------------------------------------------------

    def _pair(self, container: str) -> tuple[socket.socket, socket.socket]:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self._ends[container].append(theirs)
        return ours, theirs

    def _play(self, container: str, end: socket.socket) -> None:
        role = Role(self._specs[container]["Labels"]["sealed.role"])
        program = self.programs[role].pop(0)

        def run() -> None:
            wire = Wire(end)
            try:
                program(wire)
            except (EOFError, OSError):
                pass
            except BaseException as fault:
                self.faults.append(fault)
            wire.close()

        thread = threading.Thread(target=run, name=f"played {container}", daemon=True)
        self._threads.append(thread)
        thread.start()


class _Response:
    def close(self) -> None:
        """There is nothing to close."""


# ---- programs that behave ---------------------------------------------------------------------


def scoring(act: Callable[[Predictors], bytes]) -> Program:
    """A scorer: the real `Predictors` over the wire, and `act` as its `score`."""

    def program(wire: Wire) -> None:
        wire.write(Kind.READY)
        while True:
            kind, _, _ = wire.read()
            assert kind == Kind.SPLIT
            wire.write(Kind.SCORE, act(Predictors(wire.outgoing, wire.incoming)))

    return program


def answering(answer: Callable[[Any], Any], told: list[bytes] | None = None) -> Program:
    """A predictor that does as its runner would; `told` gets the candidate's frame."""

    def program(wire: Wire) -> None:
        load(wire, told)
        while True:
            _, payload, nonce = wire.read()
            question: Any = values.decode(payload)
            data = from_plain(question[0]).pack(answer(question[1]))
            wire.write(Kind.ANSWER, data, nonce)

    return program


def load(wire: Wire, told: list[bytes] | None = None) -> None:
    """The first steps of a predictor's runner: READY, the candidate, LOADED."""
    wire.write(Kind.READY)
    kind, payload, _ = wire.read()
    assert kind == Kind.CANDIDATE
    if told is not None:
        told.append(payload)
    wire.write(Kind.LOADED)
