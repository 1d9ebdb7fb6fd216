"""The engine, through docker-py. The only file that imports it.

Every call has a deadline, every failure is a `SandboxError`. What a container is started with is
decided in `policy.py`; here it is only carried out.
"""

import contextlib
import io
import math
import socket
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

import docker
import docker.errors
import requests

from sandbox import limits
from sandbox.errors import (
    EngineUnavailable,
    ImageUnfit,
    NoSpace,
    RuntimeMissing,
    SandboxError,
    TooFewResources,
)

P = ParamSpec("P")
T = TypeVar("T")

_START_ENGINE = "Start the engine (`scripts/engine.sh ensure`), or set DOCKER_HOST."


class Gone(Exception):
    """The container, volume or exec is not there."""


class BuildFailed(Exception):
    """A step of an image's build failed; the text is the build's output."""


@dataclass(frozen=True)
class Connection:
    """A hijacked stream of the engine: the socket, and bytes that came with the answer's head."""

    socket: socket.socket
    first: bytes
    response: Any
    """Kept: the HTTP library closes the socket when it is collected."""

    def close(self) -> None:
        """Close our end; the engine then closes the container's stdin."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.response.close()
        self.socket.close()


@dataclass(frozen=True)
class Image:
    """What the lint needs of an image."""

    id: str
    layers: tuple[str, ...]
    config: Mapping[str, Any]
    size: int


class Engine:
    """A thin, typed face of the engine's API; thread-safe as far as docker-py is."""

    def __init__(self, base_url: str | None = None, timeout: int = limits.ENGINE_CALL) -> None:
        """Connect to `base_url`, or to what DOCKER_HOST and its kin say.

        Raises `EngineUnavailable` if nothing answers.
        """
        try:
            if base_url:
                self._api = docker.APIClient(base_url=base_url, version="auto", timeout=timeout)
            else:
                self._api = docker.from_env(version="auto", timeout=timeout).api
        except (docker.errors.DockerException, requests.RequestException, OSError) as fault:
            raise EngineUnavailable(
                f"No container engine answers: {_short(fault)}.", _START_ENGINE
            ) from None
        # Else the HTTP library reads the environment at every call, also while it changes.
        self._api.trust_env = False

    # ---- the engine itself -----------------------------------------------------------------

    def info(self) -> dict[str, Any]:
        """The engine's `info`, with `ServerVersion`, `NCPU`, `MemTotal`, `Runtimes`."""
        return dict(_call(self._api.info))

    def version(self) -> dict[str, Any]:
        """The engine's `version`, with `Platform` and `Components`."""
        return dict(_call(self._api.version))

    @property
    def is_local(self) -> bool:
        """Whether the engine is reached through a socket of this machine."""
        return str(self._api.base_url).startswith("http+docker://")

    def alive(self) -> bool:
        """The trusted probe: whether the engine answers now."""
        try:
            return bool(_call(self._api.ping))
        except SandboxError:
            return False

    def image(self, tag: str) -> Image:
        """Raises `ImageUnfit` if the engine has no such image."""
        try:
            found = _call(self._api.inspect_image, tag)
        except Gone:
            raise ImageUnfit(
                f"The engine has no image {tag}.", "Build it with `make images`."
            ) from None
        return Image(
            id=found["Id"],
            layers=tuple(found["RootFS"].get("Layers") or ()),
            config=found.get("Config") or {},
            size=int(found.get("Size") or 0),
        )

    def build(
        self, context: bytes, tag: str, *, labels: Mapping[str, str], arguments: Mapping[str, str]
    ) -> None:
        """Build an image from a tar file with a Dockerfile. Raises `BuildFailed`.

        The steps run with the engine's default network and within the prepare role's memory.
        """
        said: deque[str] = deque(maxlen=limits.BUILD_LINES)
        lines = _call(
            self._api.build,
            fileobj=io.BytesIO(context),
            custom_context=True,
            tag=tag,
            rm=True,
            forcerm=True,
            labels=dict(labels),
            buildargs=dict(arguments),
            container_limits={"memory": limits.PREPARE_MEMORY_MIB * 2**20, "memswap": -1},
            timeout=limits.PREPARE,
            decode=True,
        )
        failed = False
        with _translated():
            for line in lines:  # to the end, which closes the stream
                said.append(str(line.get("stream") or line.get("error") or ""))
                failed |= "error" in line
        if failed:
            raise BuildFailed("".join(said))

    # ---- volumes ---------------------------------------------------------------------------

    def create_volume(
        self, name: str, labels: Mapping[str, str], options: Mapping[str, str] | None = None
    ) -> None:
        """A local volume; `options` are mount options, as for a tmpfs."""
        _call(
            self._api.create_volume,
            name,
            "local",
            driver_opts=dict(options or {}),
            labels=dict(labels),
        )

    def has_volume(self, name: str) -> bool:
        """Whether the engine knows a volume of this name."""
        try:
            _call(self._api.inspect_volume, name)
        except Gone:
            return False
        return True

    def remove_volume(self, name: str) -> None:
        """Remove a volume; one that is gone is fine."""
        with contextlib.suppress(Gone):
            _call(self._api.remove_volume, name, force=True)

    def volumes(self, labels: Mapping[str, str]) -> list[dict[str, Any]]:
        """Volumes with all of these labels."""
        found = _call(self._api.volumes, filters={"label": _label_filter(labels)})
        return list(found.get("Volumes") or [])

    # ---- containers ------------------------------------------------------------------------

    def create(self, spec: Mapping[str, Any], name: str) -> str:
        """Create a container from a body of the `create` call; returns its id."""
        try:
            return str(_call(self._api.create_container_from_config, dict(spec), name)["Id"])
        except Gone:
            raise ImageUnfit(
                f"The engine has no image {spec['Image']}.", "Build it with `make images`."
            ) from None

    def start(self, container: str) -> None:
        _call(self._api.start, container)

    def inspect(self, container: str) -> dict[str, Any]:
        """Raises `Gone`."""
        return dict(_call(self._api.inspect_container, container))

    def running(self, container: str) -> bool:
        """Whether the container has a living process."""
        try:
            return bool(self.inspect(container)["State"]["Running"])
        except Gone:
            return False

    def kill(self, container: str) -> None:
        """SIGKILL to its init; the kernel ends the rest. A dead or missing one is fine."""
        try:
            _call(self._api.kill, container)
        except (Gone, EngineUnavailable):
            if self.running(container):
                raise

    def dead_within(self, container: str, seconds: float) -> bool:
        """Whether the container's last process is confirmed gone within `seconds`."""
        try:
            _call(self._api.wait, container, timeout=math.ceil(seconds))
        except Gone:
            return True
        except EngineUnavailable:
            return not self.running(container)
        return True

    def pause(self, container: str) -> None:
        _call(self._api.pause, container)

    def unpause(self, container: str) -> None:
        _call(self._api.unpause, container)

    def remove(self, container: str) -> None:
        """Remove by force, with anonymous volumes; a missing one is fine."""
        with contextlib.suppress(Gone):
            _call(self._api.remove_container, container, force=True, v=True)

    def containers(self, labels: Mapping[str, str]) -> list[dict[str, Any]]:
        """Containers with all of these labels, dead ones too."""
        return list(_call(self._api.containers, all=True, filters={"label": _label_filter(labels)}))

    def memory_seen(self, container: str) -> int:
        """Bytes: the peak where the kernel tells it, else what is in use now; 0 if unknown."""
        try:
            stats = _call(self._api.stats, container, stream=False, one_shot=True)
        except (Gone, SandboxError):
            return 0
        memory = stats.get("memory_stats") or {}
        return int(memory.get("max_usage") or memory.get("usage") or 0)

    def ran_out_of_memory(self, container: str, since: int, until: int) -> bool:
        """Whether the kernel killed a process of it for memory, between two unix seconds."""
        try:
            if self.inspect(container)["State"].get("OOMKilled"):
                return True
        except Gone:
            return False
        events = _call(
            lambda: list(
                self._api.events(
                    since=since,
                    until=until,
                    decode=True,
                    filters={"container": container, "event": "oom"},
                )
            )
        )
        return bool(events)

    def keeps_log(self, container: str) -> bool:
        """Whether the engine stores what the container's main process writes."""
        try:
            _call(self._api.logs, container, tail=1)
        except SandboxError:
            return False
        return True

    # ---- streams ---------------------------------------------------------------------------

    def attach(self, container: str, *, output: bool) -> Connection:
        """The container's stdin, with stdout and stderr multiplexed if `output`."""
        parameters = {"stdin": 1, "stream": 1, "stdout": int(output), "stderr": int(output)}
        return _hijack(_call(self._api.attach_socket, container, parameters))

    def execute(self, container: str, spec: Mapping[str, Any]) -> tuple[str, Connection]:
        """Start one `exec` with all three streams; returns its id and the connection."""
        identity = _call(
            self._api.exec_create,
            container,
            spec["Cmd"],
            stdin=True,
            user=spec["User"],
            environment=spec["Env"],
            workdir=spec["WorkingDir"],
        )["Id"]
        return identity, _hijack(_call(self._api.exec_start, identity, socket=True))

    def exit_code(self, execution: str) -> int | None:
        """Exit status of an `exec`, or None while it runs."""
        try:
            state = _call(self._api.exec_inspect, execution)
        except Gone:
            return -1
        return None if state["Running"] or state["ExitCode"] is None else int(state["ExitCode"])


def _hijack(stream: Any) -> Connection:
    # docker-py hands out the socket below a buffered reader that may hold first bytes already.
    response = stream._response
    raw = getattr(stream, "_sock", stream)
    raw.setblocking(False)
    first: bytes = b""
    buffered = getattr(getattr(response.raw, "_fp", None), "fp", None)
    if buffered is not None and hasattr(buffered, "peek"):
        with contextlib.suppress(BlockingIOError, ValueError):
            first = bytes(buffered.peek())
    return Connection(raw, first, response)


def _label_filter(labels: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" if value else name for name, value in labels.items()]


def _call(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call docker-py; raise `Gone`, or the `SandboxError` that the failure means."""
    with _translated():
        return function(*args, **kwargs)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except docker.errors.NotFound as fault:
        raise Gone(_short(fault)) from None
    except docker.errors.APIError as fault:
        raise _meaning(_short(fault)) from None
    except (docker.errors.DockerException, requests.RequestException, OSError) as fault:
        raise EngineUnavailable(
            f"The engine does not answer: {_short(fault)}.", _START_ENGINE
        ) from None


def _meaning(text: str) -> SandboxError:
    lower = text.lower()
    if "no space left" in lower or "disk quota" in lower:
        return NoSpace(f"The engine's disk is full: {text}.", "Free space (`docker system df`).")
    if "unknown runtime" in lower or "unknown or invalid runtime" in lower:
        return RuntimeMissing(
            f"The engine has no such runtime: {text}.",
            "Register it in the engine's daemon.json, or unset SEALED_RUNTIME.",
        )
    if "could not select device driver" in lower or "nvidia-container-cli" in lower:
        return TooFewResources(
            f"The engine can't give a GPU: {text}.",
            "Install the NVIDIA container toolkit, or set `gpus: 0` in program.md.",
        )
    if "range of cpus" in lower or "requested cpus are not available" in lower:
        return TooFewResources(f"The engine has fewer CPUs: {text}.", "Lower `cpus` in program.md.")
    return EngineUnavailable(f"The engine refused: {text}.", "See the engine's log.")


def _short(fault: BaseException) -> str:
    explanation = getattr(fault, "explanation", None)
    return " ".join(str(explanation or fault).split())[:300].rstrip(".")
