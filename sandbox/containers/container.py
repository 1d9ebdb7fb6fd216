"""The life of one role container: create, compare, start, arm, release, kill, confirm.

A container that runs agent code waits with its trusted runner warm until `release`: the timer is
armed first, then the candidate is the first frame. Death is confirmed before anyone relies on it.
"""

import contextlib
import selectors
import time
from collections.abc import Callable, Sequence
from typing import Any

import structlog

from sandbox import limits
from sandbox.containers.streams import Frame, Stream
from sandbox.containers.uids import UidPairs
from sandbox.engine import Engine
from sandbox.engine_errors import Gone
from sandbox.errors import EngineUnavailable, SandboxError
from sandbox.log_reader import LogReader, last_line
from sandbox.policy import AGENT_ROLES, Order, confined, differences, exec_spec, role_spec
from sealed_task import frames

log = structlog.get_logger(__name__)

_LOOK_SECONDS = 0.5


class Undead(Exception):
    """A killed container is not confirmed dead: its slot can't be used until it is."""


class StartFailed(Exception):
    """A trusted runner did not come up: our own fault, never the candidate's."""


class RoleContainer:
    """One container of a role. Its uids are given back when its death is confirmed."""

    def __init__(self, engine: Engine, order: Order, uids: UidPairs) -> None:
        self._engine = engine
        self._uids = uids
        self.order = order
        self.log = LogReader()
        self.stream: Stream
        """Frames and log of the runner, once started."""
        self._timer: Stream | None = None
        self._execution = ""
        self._dead = False
        self.removed = False
        self._frozen = False
        self.id = f"sealed-{order.instance}-{order.role}-{order.timer_uid}-{order.trial[:12]}"
        """Its name until the engine has told its id: whoever removes it needs no answer."""

    def create(self) -> None:
        """Have it made, and compare it with what was asked. If that fails, remove what is there."""
        spec = role_spec(self.order)
        self.id = self._engine.create(spec, self.id)
        if wrong := differences(spec, self._engine.inspect(self.id)):
            raise EngineUnavailable(
                f"The engine made the {self.order.role} container otherwise than asked: "
                + "; ".join(wrong),
                "Nothing was run in it. See `sealed doctor`.",
            )

    def start(self, modules: tuple[str, ...] = (), most: int = 0) -> None:
        """Make and start it with its runner; `most` bounds the frames that are accepted from it."""
        self.create()
        agent = self.order.role in AGENT_ROLES
        main = Stream(self._engine.attach(self.id, output=not agent), self.log, most)
        self._engine.start(self.id)
        if not agent:
            self.stream = main
            return
        self._timer = main
        self._execute(exec_spec(self.order, modules), most)

    def start_program(self, program: Sequence[str], most: int = 0) -> None:
        """Make and start it with another program in the runner's place: for probes."""
        self.create()
        self._timer = Stream(self._engine.attach(self.id, output=False), self.log)
        self._engine.start(self.id)
        self._execute(exec_spec(self.order) | {"Cmd": confined(self.order, program)}, most)

    def _execute(self, spec: dict[str, Any], most: int) -> None:
        self._execution, connection = self._engine.execute(self.id, spec)
        self.stream = Stream(connection, self.log, most)

    def ready(self) -> bytes:
        """Wait for the trusted runner's READY; returns its payload. Raises `StartFailed`."""
        frame = self.wait_frame(time.monotonic() + limits.START)
        if frame is None or frame.kind != frames.Kind.READY:
            raise StartFailed(
                f"the runner of the {self.order.role} did not start: "
                f"{last_line(self.log.text()) or 'no output'}"
            )
        return bytes(frame.payload)

    def wait_frame(self, deadline: float, wake: Callable[[], None] | None = None) -> Frame | None:
        """The next frame; None when the stream ends, breaks, or the deadline passes."""
        asked, chosen = time.monotonic(), bool(self._execution and self.order.runtime)
        with selectors.DefaultSelector() as selector:
            selector.register(self.stream, selectors.EVENT_READ)
            while True:
                if frame := self.stream.next_frame():
                    return frame
                left = deadline - time.monotonic()
                if self.stream.closed or self.stream.broken or left <= 0:
                    return None
                if self.log.total > limits.LOG_FLOOD:
                    return None
                selector.select(min(left, 0.25))
                self.stream.flush()
                self.stream.receive()
                if wake:
                    wake()
                if chosen and time.monotonic() - asked > limits.ASKED:
                    asked = time.monotonic()
                    self._close_if_dead()

    def _close_if_dead(self) -> None:
        """Close the stream of a container that died and left it open.

        Under gVisor the kernel kills the whole container for memory, and the engine may forget the
        stream of its `exec`. What it said last is read first.
        """
        with contextlib.suppress(SandboxError):
            if not self.alive():
                known = self.log.total
                self.stream.receive()
                if self.log.total == known:
                    self.stream.close()

    def wait_log(self, deadline: float) -> str:
        """The log, once there is a whole line more of it than now, or at the deadline."""
        known = self.log.total
        with selectors.DefaultSelector() as selector:
            selector.register(self.stream, selectors.EVENT_READ)
            while not self.stream.closed and time.monotonic() < deadline:
                if self.log.total > known and self.log.text().endswith("\n"):
                    break
                selector.select(0.25)
                self.stream.flush()
                self.stream.receive()
        return self.log.text()

    def release(self, seconds: float, candidate: bytes) -> float:
        """Arm the timer, then hand over the candidate. Returns the monotonic time of release."""
        released = self.arm(seconds)
        self.stream.send(frames.Kind.CANDIDATE, candidate)
        return released

    def arm(self, seconds: float) -> float:
        """Arm the timer: the kernel ends the container by then. Returns the monotonic time."""
        if self._timer is None or self._timer.closed:
            raise StartFailed(f"the {self.order.role} container is not waiting")
        self._timer.send_raw(f"{seconds + limits.TIMER_GRACE:.3f}\n".encode())
        return time.monotonic()

    def alive(self) -> bool:
        """Whether the engine says that it runs."""
        return self._engine.running(self.id)

    def reachable(self) -> bool:
        """Whether it runs and its stream is open: a trusted probe, if no agent code ran in it."""
        self.stream.receive()
        return not self.stream.closed and self.alive()

    def exit_code(self) -> int | None:
        """Exit status of the runner; None while it runs."""
        return self._engine.exit_code(self._execution)

    def settled_exit_code(self) -> int | None:
        """The same once the engine has noticed the end; None if the container died first."""
        for _ in range(60):
            code = self.exit_code()
            if code is not None or not self.alive():
                return code
            time.sleep(0.05)
        return None

    def freeze(self) -> None:
        """Stop every process of it, by the kernel's freezer; confirmed by the engine.

        Busy containers, and storms of forks, need more than one try. Raises `Gone`, and
        `EngineUnavailable` if it still runs after `limits.FREEZE`.
        """
        deadline = time.monotonic() + limits.FREEZE
        while not self._frozen:
            try:
                self._engine.pause(self.id)
                self._frozen = True
            except EngineUnavailable:
                if time.monotonic() > deadline:
                    raise

    def thaw(self) -> None:
        """Let it go on."""
        self._engine.unpause(self.id)
        self._frozen = False

    def memory_seen(self) -> int:
        """Bytes; see `Engine.memory_seen`."""
        return self._engine.memory_seen(self.id)

    def ran_out_of_memory(self, since: float) -> bool:
        """Whether the kernel killed a process of it for memory since then (unix seconds)."""
        return self._engine.ran_out_of_memory(self.id, int(since), int(time.time()) + 1)

    def kill(self) -> None:
        """Kill every process of it and confirm their death. Raises `Undead`.

        An engine that fails is asked again for as long as a death may take: it may be restarting.
        """
        if self._dead:
            return
        # What it said last is read; then nobody listens, or a flood would hold up the engine.
        self.stream.receive()
        self.stream.close()
        deadline = time.monotonic() + limits.DEATH
        while True:
            try:
                if self._frozen:
                    with contextlib.suppress(Gone, EngineUnavailable):  # what follows finds out
                        self.thaw()  # the engine refuses to kill what is paused
                self._engine.kill(self.id)
                if self._engine.dead_within(self.id, max(0.1, deadline - time.monotonic())):
                    self._confirmed_dead()
                    return
                why = "does not die"
            except SandboxError as fault:
                why = f"can't be killed: {fault}"
            if time.monotonic() >= deadline:
                raise Undead(f"container {self.id[:12]} {why}")
            time.sleep(0.1)

    def remove(self) -> None:
        """Remove it, dead or alive; its connections are closed."""
        for stream in (getattr(self, "stream", None), self._timer):
            if stream is not None:
                stream.close()
        self._engine.remove(self.id)
        self._confirmed_dead()
        self.removed = True

    def abandon(self) -> None:
        """Close our end of its stdin, as if this process had died."""
        if self._timer is not None:
            self._timer.close()

    def _confirmed_dead(self) -> None:
        if not self._dead:
            self._dead = True
            self._uids.release(self.order.timer_uid)


def dispose(containers: list[RoleContainer]) -> None:
    """Remove containers whatever their state; what can't be removed is left to the reaper."""
    for container in containers:
        try:
            container.remove()
        except Exception as fault:
            log.warning("container not removed", container=container.id[:12], fault=str(fault))
            with contextlib.suppress(Exception):
                container.stream.close()


def put_away(container: RoleContainer) -> None:
    """Remove a container that no set has, whatever its state, and so give back its uids.

    An engine that fails is asked again for as long as a death may take: it may be restarting. What
    is there still is left to the reaper.
    """
    deadline = time.monotonic() + limits.DEATH
    dispose([container])
    while not container.removed and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
        dispose([container])
