"""A run of real processes that are killed at chosen states; what is left of it, from every side."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import git

from controller.ledger import Experiment, Halt, Ledger, State
from controller.runs import is_driven
from sandbox.api import Stage
from sandbox.client import SandboxClient
from sandbox.config import instance_of
from sandbox.engine import Engine
from sandbox.errors import EngineUnavailable
from sandbox.policy import LABEL, Role
from tests.support.own_engine import OwnEngine
from tests.support.tasks import ROOT, TINY

BUDGET_SECONDS = 1.0
GRACE_SECONDS = 1.0
"""How long after the budget agent code is looked for: the timer's grace, and a busy machine."""
_SECONDS = 60.0

STAGES = [
    stage for stage in Stage if stage not in (Stage.preparing, Stage.hashing, Stage.examining)
]
"""All that a trial goes through; the others are a task's, and the machine's."""
POINTS: list[State | Stage] = [
    point for state in State for point in (state, *(STAGES if state is State.running else ()))
]
"""Every state of an experiment, the sandbox's stages within `running`."""


class Walk:
    """A run of the tiny task by a controller and a sandbox, each a process that can be killed."""

    def __init__(self, folder: Path, engine: Engine, own: OwnEngine | None, kills: int) -> None:
        """`own`: the engine's process, where it may be killed; `kills`: one an experiment."""
        self.engine = engine
        self.own = own
        self.seeds: dict[str, int] = {}
        """By trial key, what a killed sandbox had begun with."""
        self.outlived = 0
        """How often agent code lived on for a while when the sandbox was dead."""
        self._folder = folder
        self._home = folder / "home"
        self._kills = kills
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._seen: dict[str, str] = {}
        """Roles of containers, by their ids."""
        task = folder / "tiny"
        task.mkdir()
        (folder / "wanted").write_text("")
        for name in ("program.md", "prepare.py"):
            (task / name).write_text((TINY / name).read_text())
        text = (TINY / "train.py").read_text()
        # It never ends by itself: each trial lasts to its budget.
        end = '(artifact / "partial.npy").replace(artifact / "weights.npy")\n'
        assert end in text
        (task / "train.py").write_text(
            text.replace(end, f"{end}    import time\n\n    time.sleep(600)\n")
        )
        self.instance = instance_of(self._home)

    # ---- processes ---------------------------------------------------------------------------

    def start(self, *names: str) -> None:
        """Start the controller, the sandbox, the engine."""
        for name in names:
            if name == "engine":
                assert self.own is not None
                self.own.start()
                continue
            words = {
                "sandbox": ["sandbox", "serve"],
                "controller": ["controller", str(self._folder / "tiny"), str(self._kills)],
            }[name]
            environment = os.environ | {
                "WALKED": str(self._folder),
                "SEALED_HOME": str(self._home),
                "SEALED_SOCKET": str(self._home / "sandbox.sock"),
                "SEALED_RUNS": str(self._folder / "runs"),
                "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "images" / "common"))),
            }
            if self.own is not None:
                environment["DOCKER_HOST"] = self.own.url
            with (self._folder / f"{name}.log").open("ab") as log:
                self._processes[name] = subprocess.Popen(
                    [sys.executable, "-m", "tests.support.walked", *words],
                    cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                )  # fmt: skip

    def kill(self, *names: str) -> None:
        """SIGKILL."""
        for name in names:
            if name == "engine":
                assert self.own is not None
                self.own.kill()
            else:
                self._processes[name].kill()
                self._processes[name].wait()

    def reach(self, point: State | Stage, experiment: int) -> None:
        """Wait until the experiment is stopped at this point."""
        wanted = f"{point}:{experiment}"
        reached = self._folder / "reached"
        self._want(wanted)
        self.until(lambda: reached.exists() and reached.read_text() == wanted, wanted)
        for found in self.engine.containers({LABEL + "instance": self.instance}):
            self._seen[found["Id"]] = found["Labels"][LABEL + "role"]
        for begun in (self._home / "trials").glob("*.begun"):
            self.seeds[begun.stem] = json.loads(begun.read_text())["seed"]

    def go_on(self) -> None:
        """Let what is stopped go on."""
        self._want("")

    def _want(self, point: str) -> None:
        draft = self._folder / "wanted.draft"
        draft.write_text(point)
        draft.replace(self._folder / "wanted")

    def until(self, true: Callable[[], bool], what: str) -> None:
        """Wait for something to become true."""
        deadline = time.monotonic() + _SECONDS
        while not true():
            if time.monotonic() > deadline:
                logs = [
                    (self._folder / f"{name}.log").read_text()[-3000:] for name in self._processes
                ]
                raise AssertionError("\n".join((f"it did not happen: {what}", *logs)))
            time.sleep(0.02)

    def until_budget_ends(self) -> None:
        """Wait for the death of all agent code: the trainer's alone has been let go.

        What waits may live on: with the engine dead too, nothing ends its stdin.
        """
        self.outlived += bool(self.living(Role.trainer))
        time.sleep(BUDGET_SECONDS + GRACE_SECONDS)
        assert not self.living(Role.trainer)

    def end(self) -> None:
        """SIGTERM to both, the controller first."""
        for name in ("controller", "sandbox"):
            process = self._processes[name]
            process.send_signal(signal.SIGTERM)
            assert process.wait(_SECONDS) == 0, name

    def forget(self) -> None:
        """Remove the task with its data, once no run prepares it again."""
        self.until(self._halted, "the run is at its limit")
        client = SandboxClient(self._home / "sandbox.sock")

        def answers() -> bool:
            try:
                return bool(client.tasks())
            except EngineUnavailable:
                return False

        self.until(answers, "the sandbox is up again")
        for task in client.tasks():
            client.forget(task.hash)
        client.close()

    def clear(self) -> None:
        """Leave nothing, however a test ended."""
        for process in self._processes.values():
            process.kill()
            process.wait()
        labels = {LABEL + "instance": self.instance}
        for container in self.engine.containers(labels):
            self.engine.remove(container["Id"])
        for volume in self.engine.volumes(labels):
            self.engine.remove_volume(volume["Name"])

    # ---- what there is of it -----------------------------------------------------------------

    def living(self, *roles: Role) -> list[int]:
        """Processes of containers of these roles that were seen, whatever the engine says."""
        containers = [container for container, role in self._seen.items() if role in roles]
        found = []
        for file in Path("/proc").glob("[0-9]*/cgroup"):
            try:
                text = file.read_text()
            except OSError:  # it has just ended
                continue
            if any(container in text for container in containers):
                found.append(int(file.parent.name))
        return found

    def experiments(self) -> list[Experiment]:
        """As the ledger has them; none before the run is created."""
        file = self._folder / "runs" / "tiny-1" / "ledger.sqlite"
        if not file.exists():
            return []
        with Ledger(file, writing=False) as ledger:
            return ledger.experiments() if ledger.run() else []

    def _halted(self) -> bool:
        with Ledger(self._folder / "runs" / "tiny-1" / "ledger.sqlite", writing=False) as ledger:
            return ledger.sessions()[-1].halt is Halt.experiments

    def recorded(self, experiment: int) -> bool:
        """Whether an experiment is over."""
        return any(e.number == experiment and e.state is State.recorded for e in self.experiments())

    def records(self) -> dict[str, Any]:
        """The sandbox's, by trial key."""
        return {
            file.stem: json.loads(file.read_text())
            for file in (self._home / "trials").glob("*.json")
        }

    def commits(self) -> tuple[dict[int, str], str]:
        """Of all experiments, and of `main`; every object is there and whole."""
        with git.Repo(self._folder / "runs" / "tiny-1" / "repository") as repository:
            repository.git.fsck("--strict", "--no-dangling")
            commits = {
                int(ref.path.rpartition("/")[2]): ref.commit.hexsha
                for ref in repository.refs
                if ref.path.startswith("refs/experiments/")
            }
            return commits, repository.head.commit.hexsha

    def left(self) -> list[str]:
        """Containers, volumes, processes, uids, locks and drafts that should be gone at the end."""
        labels = {LABEL + "instance": self.instance}
        files = (
            str(file)
            for pattern in ("*.lock", "*.draft", "*.begun", "*.sock")
            for folder in (self._home, self._folder / "runs")
            for file in folder.rglob(pattern)
        )
        return [
            *(found["Id"] for found in self.engine.containers(labels)),
            *(found["Name"] for found in self.engine.volumes(labels)),
            *(f"process {pid}" for pid in self.living(*Role)),
            *(["uids"] if (self._folder / "uids").read_text() != "0" else []),
            *(["the run's lock"] if is_driven(self._folder / "runs" / "tiny-1") else []),
            *files,
        ]
