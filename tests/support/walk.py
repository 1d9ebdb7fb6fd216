"""A run of real processes that are killed at chosen states."""

import time
from collections.abc import Callable
from pathlib import Path

from controller.ledger import Halt, Ledger, State
from sandbox.api import Stage
from sandbox.engine import Engine
from sandbox.policy import LABEL, Role
from tests.support.own_engine import OwnEngine
from tests.support.services import Services
from tests.support.tasks import TINY

BUDGET_SECONDS = 1.0
GRACE_SECONDS = 1.0
"""How long after the budget agent code is looked for: the timer's grace, and a busy machine."""
_SECONDS = 180.0

STAGES = [
    stage for stage in Stage if stage not in (Stage.preparing, Stage.hashing, Stage.examining)
]
"""All that a trial goes through; the others are a task's, and the machine's."""
POINTS: list[State | Stage] = [
    point for state in State for point in (state, *(STAGES if state is State.running else ()))
]
"""Every state of an experiment, the sandbox's stages within `running`."""


class Walk(Services):
    """A run of the tiny task by a controller and a sandbox that stop where a test wants it."""

    def __init__(self, folder: Path, engine: Engine, own: OwnEngine | None, kills: int) -> None:
        """`own`: the engine's process, where it may be killed; `kills`: one an experiment."""
        text = (TINY / "train.py").read_text()
        # It never ends by itself: each trial lasts to its budget.
        end = '(artifact / "partial.npy").replace(artifact / "weights.npy")\n'
        assert end in text
        waits = f"{end}    import time\n\n    time.sleep(600)\n"
        super().__init__(folder, engine, text.replace(end, waits))
        self.own = own
        self.seeds: dict[str, int] = {}
        """By trial key, what a killed sandbox had begun with."""
        self.outlived = 0
        """How often agent code lived on for a while when the sandbox was dead."""
        self._kills = kills

    def start(self, *names: str) -> None:
        """Start the controller, the sandbox, the engine."""
        for name in names:
            if name == "engine":
                assert self.own is not None
                self.own.start()
                continue
            words = {
                "sandbox": ["sandbox", "serve"],
                "controller": ["controller", str(self.task), str(self._kills)],
            }[name]
            engine = {} if self.own is None else {"DOCKER_HOST": self.own.url}
            self.spawn(name, ["-m", "tests.support.walked", *words], engine)

    def kill(self, *names: str) -> None:
        """SIGKILL."""
        for name in names:
            if name == "engine":
                assert self.own is not None
                self.own.kill()
            else:
                super().kill(name)

    def want(self, point: State | Stage, experiment: int) -> None:
        """Have the experiment stopped at this point; what is stopped elsewhere goes on."""
        self._want(f"{point}:{experiment}")

    def go_on(self) -> None:
        """Stop nowhere any more."""
        self._want("")

    def reached(self) -> None:
        """Wait until the experiment is stopped at the point that was wanted."""
        wanted, reached = (self.folder / name for name in ("wanted", "reached"))
        point = wanted.read_text()
        self.until(lambda: reached.exists() and reached.read_text() == point, point)
        self.see()
        self.seeds |= self.begun()

    def _want(self, point: str) -> None:
        draft = self.folder / "wanted.draft"
        draft.write_text(point)
        draft.replace(self.folder / "wanted")

    def until(self, true: Callable[[], bool], what: str) -> None:
        """Wait for something to become true."""
        deadline = time.monotonic() + _SECONDS
        while not true():
            if time.monotonic() > deadline:
                logs = [self.log(name) for name in self.processes]
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
        """See `Services`; once the run is at its limit."""
        self.until(self._halted, "the run is at its limit")
        self.until(self.answers, "the sandbox is up again")
        self.until(self._at_rest, "what a dead engine did not remove is removed")
        super().end()

    def _at_rest(self) -> bool:
        """Whether all containers are alive: a task's data can't go while others hold it."""
        found = self.engine.containers({LABEL + "instance": self.instance})
        return all(container["State"] == "running" for container in found)

    def _halted(self) -> bool:
        with Ledger(self.run / "ledger.sqlite", writing=False) as ledger:
            return ledger.sessions()[-1].halt is Halt.experiments

    def recorded(self, experiment: int) -> bool:
        """Whether an experiment is over."""
        return any(e.number == experiment and e.state is State.recorded for e in self.experiments())
