"""A task, a sandbox and runs for tests of the controller: no container, milliseconds a trial."""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec.structs import replace

from controller.agents import Kind, make_agent
from controller.agents.base import Agent
from controller.agents.marks import marked
from controller.candidate import Candidate, Unfit
from controller.halting import Halted
from controller.ledger import Experiment, Ledger, NewRun, RunLimits
from controller.loop import Loop
from controller.run import Run
from controller.runs import claimed, created
from controller.visible import View
from sandbox.api import Progress, Sandbox, TaskFiles
from sandbox.fake.sandbox import FakeSandbox

PROGRAM = """\
---
metric: bits
goal: minimize
budget_seconds: 2
keep: margin
min_gain: 0.005
---
Make it better.
"""
TRAIN = """\
LEARNING_RATE = 3e-3  # search: log 1e-4 1e-1
HIDDEN = 32  # search: int 8 256
ACTIVATION = "relu"  # search: choice relu gelu tanh
"""
PREPARE = "def prepare(to, rng): ...\ndef score(data, predictors): ...\n"
RUN_ID = "0123456789abcdef"
SALT = "fedcba9876543210"
FILES = TaskFiles(name="toy", program=PROGRAM, train=TRAIN, prepare=PREPARE)


def landscape(candidate: str) -> float:
    """Best, at 0, are a learning rate of 0.024, 64 hidden units and gelu; 4 is without marks."""
    if not marked(candidate).values:
        return 4.0
    rate, hidden, activation = marked(candidate).values
    assert isinstance(rate, float)
    assert isinstance(hidden, int)
    return (
        math.log2(rate / 0.024) ** 2 / 10
        + math.log2(hidden / 64) ** 2 / 10
        + (activation != '"gelu"') / 10
    )


class Watched:
    """A `Watcher` that remembers."""

    def __init__(self) -> None:
        self.begun_numbers: list[int] = []
        self.recorded_numbers: list[int] = []
        self.reasons: list[str] = []
        self.stages: list[str] = []

    def begun(self, experiment: Experiment) -> None:
        self.begun_numbers.append(experiment.number)

    def progress(self, progress: Progress) -> None:
        self.stages.append(progress.stage)

    def recorded(self, experiment: Experiment) -> None:
        self.recorded_numbers.append(experiment.number)

    def refused(self, unfit: Unfit) -> None:
        self.reasons.append(unfit.reason)


class Scripted:
    """An agent that proposes what it was given, in order."""

    name = "scripted"

    def __init__(self, *proposals: Candidate | Unfit) -> None:
        self.proposals = proposals
        self.views: list[View] = []

    def propose(self, view: View) -> Candidate | Unfit | None:
        self.views.append(replace(view, experiments=list(view.experiments)))
        return self.proposals[view.proposals] if view.proposals < len(self.proposals) else None


def candidates(*scores: float | str) -> list[Candidate]:
    """Candidates with these scores, or with these directives of the fake."""
    return [
        Candidate(
            source=f"n = {n}\n# fake: {told if isinstance(told, str) else f'score={told}'}\n",
            hypothesis=f"idea {n}",
        )
        for n, told in enumerate(scores, 1)
    ]


def fake(folder: Path | None = None) -> FakeSandbox:
    """A sandbox that scores TRAIN and its kin by `landscape`."""
    return FakeSandbox(folder, landscape=landscape)


@contextmanager
def opened(
    sandbox: Sandbox,
    *,
    name: str = "run",
    files: TaskFiles = FILES,
    most_experiments: int | None = None,
    most_hours: float | None = None,
    plateau: int | None = None,
) -> Iterator[Run]:
    """The run of this name, created at first, with the limits given then."""
    task = sandbox.prepare(files)
    with claimed(files.name, name) as folder:
        new = NewRun(
            id=RUN_ID,
            task_name=task.name,
            task_hash=task.hash,
            program=files.program,
            prepare=files.prepare,
            dockerfile=files.dockerfile,
            scorer_dockerfile=files.scorer_dockerfile,
            settings=task.settings,
            agent="search",
            agent_source=None,
            salt=SALT,
            limits=RunLimits(
                most_experiments=most_experiments, most_hours=most_hours, plateau=plateau
            ),
        )
        with Run.opened(folder, None if created(folder) else new, files.train) as run:
            yield run


def drive(
    run: Run, sandbox: Sandbox, agent: Agent | None = None, watched: Watched | None = None
) -> Halted:
    """Go on with a run until it halts; by default with the search."""
    agent = agent or make_agent(Kind.search, seed="seed", train=TRAIN, source=None)
    return Loop(run, agent, sandbox, watched or Watched()).drive()


def with_settings(**settings: object) -> TaskFiles:
    """The toy task with other settings in its front matter."""
    lines = "".join(f"{name}: {value}\n" for name, value in settings.items())
    kept = [line for line in PROGRAM.splitlines() if line.split(":")[0] not in settings]
    return replace(FILES, program="\n".join(kept).replace("---\n", f"---\n{lines}", 1) + "\n")


def ledger_of(name: str = "run") -> Ledger:
    """The ledger of a run below SEALED_RUNS, to read."""
    return Ledger(Path(os.environ["SEALED_RUNS"]) / name / "ledger.sqlite", writing=False)
