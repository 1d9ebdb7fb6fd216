"""One stack of Compose for the tests: its own project, port, volumes and task."""

import contextlib
import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def docker(*words: str) -> str:
    """What a docker command prints."""
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def until(true: Callable[[], Any], seconds: float, what: str) -> Any:
    """Wait for something to be true, and return it."""
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline, what
        time.sleep(0.5)
    return found


@dataclass
class Stack:
    """`docker compose` with settings of its own; `settings` may be changed between two `up`."""

    project: str
    settings: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)

    def environment(self) -> dict[str, str]:
        """Of every command: what the person who runs the tests has set is left out."""
        kept = {name: value for name, value in os.environ.items() if "SEALED_" not in name}
        own = {
            "COMPOSE_PROJECT_NAME": self.project,
            "SEALED_PORT": str(self.port),
            "SEALED_TASKS": str(ROOT / "tests" / "tasks"),
            "SEALED_TASK": "tasks/tiny",
        }
        return kept | own | self.settings

    def run(self, *words: str, **settings: str) -> "subprocess.CompletedProcess[str]":
        """A command in the repository's root, whatever becomes of it."""
        return subprocess.run(
            words,
            cwd=ROOT,
            env=self.environment() | settings,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    def compose(self, *words: str) -> str:
        """What a command of Compose prints; it must succeed."""
        # No file of this machine's may change what is tested.
        done = self.run("docker", "compose", "--env-file", "/dev/null", *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def up(self) -> None:
        """Start what is not running; images are there already."""
        self.compose("up", "--detach", "--no-build")

    def page(self, path: str = "/index.json") -> dict[str, Any]:
        """What the page says; empty while it does not answer."""
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.port}{path}", timeout=10
            ) as answer:
                found: dict[str, Any] = json.loads(answer.read())
        except OSError:
            return {}
        return found

    def shown(self) -> dict[str, Any]:
        """The run on the page; empty before there is one."""
        return self.page().get("run") or {}

    def sealed(self, *words: str) -> Any:
        """A reading verb of the command line, in the controller."""
        return json.loads(self.compose("exec", "-T", "controller", "sealed", *words, "--json"))

    def container(self, service: str) -> dict[str, Any]:
        """What the engine says of a service's container."""
        (name,) = self.compose("ps", "--all", "--quiet", service).split()
        found: dict[str, Any] = json.loads(docker("inspect", name))[0]
        return found

    def state(self, program: str, *words: str) -> str:
        """What a program prints that looks into the sandbox's state."""
        return docker(
            "run", "--rm", "--network=none", f"--entrypoint={program}", "--workdir=/state",
            f"--volume={self.project}_state:/state:ro", "sealed-sandbox", *words,
        )  # fmt: skip

    def instance(self) -> str:
        """The name on the labels of all that the sandbox makes."""
        return self.state("cat", "instance").strip()

    def left(self) -> list[str]:
        """Containers and artifacts of trials that are there now."""
        label = f"label=sealed.instance={self.instance()}"
        containers = docker("ps", "--all", "--quiet", "--filter", label).split()
        artifacts = docker(
            "volume", "ls", "--quiet", "--filter", label, "--filter", "label=sealed.role=artifact"
        ).split()
        return containers + artifacts

    def remove(self) -> None:
        """Leave nothing: services, volumes, and the data that the sandbox had prepared."""
        instance = ""
        # Looking into a volume that is not there would make it.
        if docker("volume", "ls", "--quiet", "--filter", f"name={self.project}_state"):
            with contextlib.suppress(AssertionError):  # no sandbox ever came so far
                instance = self.instance()
        self.run("docker", "compose", "down", "--volumes", "--timeout", "60")
        if instance:
            label = f"label=sealed.instance={instance}"
            if containers := docker("ps", "--all", "--quiet", "--filter", label).split():
                docker("rm", "--force", *containers)
            if volumes := docker("volume", "ls", "--quiet", "--filter", label).split():
                docker("volume", "rm", *volumes)
