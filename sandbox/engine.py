"""The engine, through docker-py. The only file that imports it.

Every call has a deadline, every failure is a `SandboxError`, an answer that makes no sense is one
too. What a container is started with is decided in `policy.py`; here it is only carried out.
"""

import contextlib
import io
import json
import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import docker
import docker.errors
import requests
import urllib3.exceptions

from sandbox import limits
from sandbox.connection import Connection, hijack
from sandbox.deadline import within
from sandbox.engine_errors import START_ENGINE, BuildFailed, Gone, meaning
from sandbox.errors import EngineUnavailable, ImageUnfit, SandboxError

T = TypeVar("T")


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

        Each call has `timeout` seconds, also where a method makes two; `build` and `dead_within`
        have their own. Raises `EngineUnavailable` if nothing answers.
        """
        self._timeout = timeout
        try:
            self._api = within(timeout, lambda: _client(base_url, timeout), docker.APIClient.close)
        except _FAULTS as fault:
            raise EngineUnavailable(
                f"No container engine answers: {_short(fault)}.", START_ENGINE
            ) from None
        # Else the HTTP library reads the environment at every call, also while it changes.
        self._api.trust_env = False

    def _call(self, act: Callable[[], T], late: Callable[[T], object] = lambda _: None) -> T:
        """Use docker-py within the deadline.

        `late` is for what came too late. Raises `Gone`, or the `SandboxError` that the failure
        means.
        """
        with _translated():
            return within(self._timeout, act, late)

    # ---- the engine itself -----------------------------------------------------------------

    def info(self) -> dict[str, Any]:
        """The engine's `info`, with `ServerVersion`, `NCPU`, `MemTotal`, `Runtimes`."""
        return self._call(lambda: dict(self._api.info()))

    def version(self) -> dict[str, Any]:
        """The engine's `version`, with `Platform` and `Components`."""
        return self._call(lambda: dict(self._api.version()))

    @property
    def is_local(self) -> bool:
        """Whether the engine is reached through a socket of this machine."""
        return str(self._api.base_url).startswith("http+docker://")

    def alive(self) -> bool:
        """The trusted probe: whether the engine answers now."""
        try:
            return self._call(lambda: bool(self._api.ping()))
        except SandboxError:
            return False

    def image(self, tag: str) -> Image:
        """Raises `ImageUnfit` if the engine has no such image."""

        def inspect() -> Image:
            found: Any = self._api.inspect_image(tag)  # type: ignore[no-untyped-call]
            return Image(
                id=found["Id"],
                layers=tuple(found["RootFS"].get("Layers") or ()),
                config=found.get("Config") or {},
                size=int(found.get("Size") or 0),
            )

        try:
            return self._call(inspect)
        except Gone:
            raise ImageUnfit(
                f"The engine has no image {tag}.", "Build it with `make images`."
            ) from None

    def build(
        self, context: bytes, tag: str, *, labels: Mapping[str, str], arguments: Mapping[str, str]
    ) -> None:
        """Build an image from a tar file with a Dockerfile. Raises `BuildFailed`.

        The steps run with the engine's default network, within the prepare role's memory and
        time.
        """
        said: deque[str] = deque(maxlen=limits.BUILD_LINES)

        def build() -> bool:
            failed = False
            for line in self._api.build(
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
            ):  # to the end, which closes the stream
                said.append(str(line.get("stream") or line.get("error") or ""))
                failed |= "error" in line
            return failed

        with _translated():
            failed = within(limits.PREPARE, build)
        if failed:
            raise BuildFailed("".join(said))

    # ---- volumes ---------------------------------------------------------------------------

    def create_volume(
        self, name: str, labels: Mapping[str, str], options: Mapping[str, str] | None = None
    ) -> None:
        """A local volume; `options` are mount options, as for a tmpfs."""
        self._call(
            lambda: self._api.create_volume(
                name, "local", driver_opts=dict(options or {}), labels=dict(labels)
            )
        )

    def has_volume(self, name: str) -> bool:
        """Whether the engine knows a volume of this name."""
        try:
            self._call(lambda: self._api.inspect_volume(name))
        except Gone:
            return False
        return True

    def remove_volume(self, name: str) -> None:
        """Remove a volume; one that is gone is fine."""
        self._remove(
            lambda: self._api.remove_volume(name, force=True),
            lambda: self._api.inspect_volume(name),
        )

    def _remove(self, act: Callable[[], object], look: Callable[[], object]) -> None:
        """Remove something, and see that it is gone: whoever believed the answer would leak it."""
        with contextlib.suppress(Gone):
            self._call(act)
            self._call(look)
            raise EngineUnavailable("What was removed is there still.", "See the engine's log.")

    def volumes(self, labels: Mapping[str, str]) -> list[dict[str, Any]]:
        """Volumes with all of these labels."""
        filters = {"label": _label_filter(labels)}
        return self._call(lambda: list(self._api.volumes(filters=filters)["Volumes"] or []))

    # ---- containers ------------------------------------------------------------------------

    def create(self, spec: Mapping[str, Any], name: str) -> str:
        """Create a container from a body of the `create` call; returns its id."""

        def create() -> str:
            made: Any = self._api.create_container_from_config(dict(spec), name)  # type: ignore[no-untyped-call]
            return str(made["Id"])

        try:
            return self._call(create, late=self.remove)
        except Gone:
            raise ImageUnfit(
                f"The engine has no image {spec['Image']}.", "Build it with `make images`."
            ) from None

    def start(self, container: str) -> None:
        self._call(lambda: self._api.start(container))

    def inspect(self, container: str) -> dict[str, Any]:
        """Raises `Gone`."""
        return self._call(lambda: dict(self._api.inspect_container(container)))

    def running(self, container: str) -> bool:
        """Whether the container has a living process."""
        try:
            return self._call(
                lambda: bool(self._api.inspect_container(container)["State"]["Running"])
            )
        except Gone:
            return False

    def kill(self, container: str) -> None:
        """SIGKILL to its init; the kernel ends the rest. A dead or missing one is fine."""
        try:
            self._call(lambda: self._api.kill(container))
        except (Gone, EngineUnavailable):
            if self.running(container):
                raise

    def dead_within(self, container: str, seconds: float) -> bool:
        """Whether the container's last process is confirmed gone within `seconds`.

        An engine that does not answer has confirmed nothing: that raises, after a call more.
        """
        try:
            with _translated():
                within(seconds, lambda: self._api.wait(container, timeout=math.ceil(seconds)))
        except Gone:
            return True
        except EngineUnavailable:
            return not self.running(container)
        return True

    def pause(self, container: str) -> None:
        self._call(lambda: self._api.pause(container))

    def unpause(self, container: str) -> None:
        self._call(lambda: self._api.unpause(container))

    def remove(self, container: str) -> None:
        """Remove by force, with anonymous volumes; a missing one is fine."""
        self._remove(
            lambda: self._api.remove_container(container, force=True, v=True),
            lambda: self._api.inspect_container(container),
        )

    def containers(self, labels: Mapping[str, str]) -> list[dict[str, Any]]:
        """Containers with all of these labels, dead ones too."""
        filters = {"label": _label_filter(labels)}
        return self._call(lambda: list(self._api.containers(all=True, filters=filters)))

    def memory_seen(self, container: str) -> int:
        """Bytes: the peak where the kernel tells it, else what is in use now; 0 if unknown."""

        def memory() -> int:
            stats = self._api.stats(container, stream=False, one_shot=True)
            seen = stats.get("memory_stats") or {}
            return int(seen.get("max_usage") or seen.get("usage") or 0)

        try:
            return self._call(memory)
        except (Gone, SandboxError):
            return 0

    def ran_out_of_memory(self, container: str, since: int, until: int) -> bool:
        """Whether the kernel killed a process of it for memory, between two unix seconds."""

        def events() -> bool:
            # Not by docker-py's own `events`, which waits for ever.
            answer = self._api.get(
                f"{self._api.base_url}/v{self._api.api_version}/events",
                params={
                    "since": str(since),
                    "until": str(until),
                    "filters": json.dumps({"container": [container], "event": ["oom"]}),
                },
                timeout=self._timeout,
            )
            answer.raise_for_status()
            return bool(answer.content.strip())

        try:
            if self.inspect(container)["State"].get("OOMKilled"):
                return True
        except Gone:
            return False
        return self._call(events)

    def keeps_log(self, container: str) -> bool:
        """Whether the engine stores what the container's main process writes."""
        try:
            self._call(lambda: self._api.logs(container, tail=1))
        except SandboxError:
            return False
        return True

    # ---- streams ---------------------------------------------------------------------------

    def attach(self, container: str, *, output: bool) -> Connection:
        """The container's stdin, with stdout and stderr multiplexed if `output`."""
        parameters = {"stdin": 1, "stream": 1, "stdout": int(output), "stderr": int(output)}
        return self._call(
            lambda: hijack(self._api.attach_socket(container, parameters)), Connection.close
        )

    def execute(self, container: str, spec: Mapping[str, Any]) -> tuple[str, Connection]:
        """Start one `exec` with all three streams; returns its id and the connection."""
        identity = self._call(
            lambda: str(
                self._api.exec_create(
                    container,
                    spec["Cmd"],
                    stdin=True,
                    user=spec["User"],
                    environment=spec["Env"],
                    workdir=spec["WorkingDir"],
                )["Id"]
            )
        )
        connection = self._call(
            lambda: hijack(self._api.exec_start(identity, socket=True)), Connection.close
        )
        return identity, connection

    def exit_code(self, execution: str) -> int | None:
        """Exit status of an `exec`, or None while it runs."""

        def status() -> int | None:
            state = self._api.exec_inspect(execution)
            code = state["ExitCode"]
            return None if state["Running"] or code is None else int(code)

        try:
            return self._call(status)
        except Gone:
            return -1


def _client(base_url: str | None, timeout: int) -> docker.APIClient:
    # Its timeout is each read's, and longer than the deadline, so that what comes late is heard of.
    if base_url:
        return docker.APIClient(base_url=base_url, version="auto", timeout=2 * timeout)
    return docker.from_env(version="auto", timeout=2 * timeout).api


def _label_filter(labels: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" if value else name for name, value in labels.items()]


_FAULTS = (
    docker.errors.DockerException,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
)
"""What docker-py raises when the engine fails; the last four when its answer lacks something."""


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except docker.errors.NotFound as fault:
        raise Gone(_short(fault)) from None
    except docker.errors.APIError as fault:
        raise meaning(_short(fault)) from None
    except _FAULTS as fault:
        raise EngineUnavailable(
            f"The engine does not answer: {_short(fault)}.", START_ENGINE
        ) from None


def _short(fault: BaseException) -> str:
    explanation = getattr(fault, "explanation", None)
    return " ".join(str(explanation or fault).split())[:300].rstrip(".")
