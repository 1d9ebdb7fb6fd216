"""Controller and sandbox as real processes that a test may kill; what is left of them.

Seen from every side: the ledger, the sandbox's records, git, the engine, and /proc.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import git

from controller.ledger import Experiment, Ledger
from controller.runs import is_driven
from sandbox.client import SandboxClient
from sandbox.config import instance_of
from sandbox.engine import Engine
from sandbox.errors import EngineUnavailable
from sandbox.policy import LABEL, Role
from tests.support.tasks import ROOT, TINY

END_SECONDS = 60.0
"""How long a service that is told to end may take, its trial's containers included."""


class Services:
    """A run of the tiny task in `folder`, with a home, an instance and processes of its own."""

    def __init__(self, folder: Path, engine: Engine, train: str) -> None:
        """`train`: the task's own train.py."""
        self.engine = engine
        self.folder = folder
        self.home = folder / "home"
        self.run = folder / "runs" / "tiny-1"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.seen: dict[str, str] = {}
        """Roles of containers, by their ids."""
        self.task = folder / "tiny"
        self.task.mkdir()
        for name in ("program.md", "prepare.py"):
            shutil.copy(TINY / name, self.task)
        (self.task / "train.py").write_text(train)
        (folder / "wanted").write_text("")
        self.instance = instance_of(self.home)

    # ---- processes ---------------------------------------------------------------------------

    def spawn(self, name: str, words: Iterable[str], more: Mapping[str, str]) -> None:
        """Start one, with `more` in its environment; what it says is in `NAME.log`."""
        environment = os.environ | {
            "WALKED": str(self.folder),
            "SEALED_HOME": str(self.home),
            "SEALED_SOCKET": str(self.home / "sandbox.sock"),
            "SEALED_RUNS": str(self.folder / "runs"),
            "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "images" / "common"))),
        }
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, *words],
                cwd=ROOT, env=environment | more,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def kill(self, *names: str) -> None:
        """SIGKILL."""
        for name in names:
            self.processes[name].kill()
            self.processes[name].wait()

    def end(self) -> None:
        """SIGTERM to both, the controller first; with that the task goes, and its data."""
        self._end("controller")
        self._forget()
        self._end("sandbox")

    def _end(self, name: str) -> None:
        process = self.processes[name]
        process.send_signal(signal.SIGTERM)
        assert process.wait(END_SECONDS) in (0, 130), name  # 130: `sealed` was interrupted

    def log(self, name: str) -> str:
        """The end of what a process said."""
        return (self.folder / f"{name}.log").read_text()[-3000:]

    def answers(self) -> bool:
        """Whether the sandbox knows its task."""
        client = SandboxClient(self.home / "sandbox.sock")
        try:
            return bool(client.tasks())
        except EngineUnavailable:
            return False
        finally:
            client.close()

    def _forget(self) -> None:
        client = SandboxClient(self.home / "sandbox.sock")
        try:
            for task in client.tasks():
                client.forget(task.hash)
        except EngineUnavailable as fault:
            raise AssertionError(f"{fault}\n{self._containers()}\n{self.log('sandbox')}") from None
        finally:
            client.close()

    def clear(self) -> None:
        """Leave nothing, however a test ended."""
        for process in self.processes.values():
            process.kill()
            process.wait()
        labels = {LABEL + "instance": self.instance}
        deadline = time.monotonic() + END_SECONDS
        while time.monotonic() < deadline and any(self.held().values()):
            with suppress(EngineUnavailable):  # a removal that a killed sandbox began goes on
                for container in self.engine.containers(labels):
                    self.engine.remove(container["Id"])
                for volume in self.engine.volumes(labels):
                    self.engine.remove_volume(volume["Name"])

    # ---- what there is of it -----------------------------------------------------------------

    def see(self) -> None:
        """Remember which containers there are now."""
        for found in self.engine.containers({LABEL + "instance": self.instance}):
            self.seen[found["Id"]] = found["Labels"][LABEL + "role"]

    def living(self, *roles: Role) -> list[str]:
        """Processes of containers of these roles that were seen, whatever the engine says."""
        containers = {container: role for container, role in self.seen.items() if role in roles}
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                text = (process / "cgroup").read_text()
                name = (process / "comm").read_text().strip()
            except OSError:  # it has just ended
                continue
            for container, role in containers.items():
                if container in text:
                    found.append(f"{role} {container[:12]}: {process.name} {name}")
        return found

    def experiments(self) -> list[Experiment]:
        """As the ledger has them; none before the run is created."""
        file = self.run / "ledger.sqlite"
        if not file.exists():
            return []
        with Ledger(file, writing=False) as ledger:
            return ledger.experiments() if ledger.run() else []

    def records(self) -> dict[str, Any]:
        """The sandbox's, by trial key."""
        return {
            file.stem: json.loads(file.read_text())
            for file in (self.home / "trials").glob("*.json")
        }

    def begun(self) -> dict[str, int]:
        """Seeds by trial key, of candidates that were let go and have no result yet."""
        seeds = {}
        for file in (self.home / "trials").glob("*.begun"):
            try:
                seeds[file.stem] = json.loads(file.read_text())["seed"]
            except FileNotFoundError:  # it has just ended
                continue
        return seeds

    def commits(self) -> tuple[dict[int, str], str]:
        """Of all experiments, and of `main`; every object is there and whole."""
        with git.Repo(self.run / "repository") as repository:
            repository.git.fsck("--strict", "--no-dangling")
            commits = {
                int(ref.path.rpartition("/")[2]): ref.commit.hexsha
                for ref in repository.refs
                if ref.path.startswith("refs/experiments/")
            }
            return commits, repository.head.commit.hexsha

    def held(self) -> dict[str, int]:
        """How many containers and volumes there are now."""
        volumes = self.engine.volumes({LABEL + "instance": self.instance})
        return {"containers": len(self._containers()), "volumes": len(volumes)}

    def _containers(self) -> list[str]:
        return [
            f"{found['Labels'][LABEL + 'role']} {found['Id'][:12]} {found['Status']}"
            for found in self.engine.containers({LABEL + "instance": self.instance})
        ]

    def left(self) -> dict[str, list[str]]:
        """By kind, what should be gone at the end."""
        return {
            "containers": [
                *self._containers(),
                *self.living(*Role),
            ],
            "volumes": [
                found["Name"] for found in self.engine.volumes({LABEL + "instance": self.instance})
            ],
            "uids": ["leased"] if (self.folder / "uids").read_text() != "0" else [],
            "locks": [
                *(["the run's"] if is_driven(self.run) else []),
                *(
                    str(file)
                    for pattern in ("*.lock", "*.draft", "*.begun", "*.sock")
                    for folder in (self.home, self.folder / "runs")
                    for file in folder.rglob(pattern)
                ),
            ],
        }
