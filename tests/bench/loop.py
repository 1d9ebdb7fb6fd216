"""What the loop itself costs for an experiment, early in a run and late: trials are the fake's.

In seconds of CPU, and on a disk in memory where there is one: what waiting for a disk costs is the
same at any time, and would hide what grows.
"""

import os
import random
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from statistics import median
from unittest import mock

from controller.agents.marks import Range, marked
from controller.agents.replay import Replay
from controller.agents.search import Search
from controller.candidate import Candidate, Unfit
from controller.ledger import Experiment, NewRun, RunLimits
from controller.loop import Loop
from controller.run import Run
from controller.status import status_of
from controller.task import read_task
from controller.web.views import run_view
from sandbox.api import Progress
from sandbox.fake.sandbox import FakeSandbox
from tests.support.tasks import DIGITS

AT = (10, 1_000, 10_000)
ROUNDS = 60
CALLS = 5
_MEMORY = Path("/dev/shm")
_LOG = "epoch 12: loss 0.693 bits, accuracy 0.501; " * 20


class Clock:
    """A `Watcher` that notes the seconds of CPU between experiments."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._last = time.process_time()

    def begun(self, experiment: Experiment) -> None:
        """See `Watcher`."""

    def progress(self, progress: Progress) -> None:
        """See `Watcher`."""

    def refused(self, unfit: Unfit) -> None:
        """See `Watcher`."""

    def recorded(self, experiment: Experiment) -> None:
        """See `Watcher`."""
        now = time.process_time()
        self.seconds.append(now - self._last)
        self._last = now


def loop_costs() -> dict[str, dict[str, float]]:
    """d: of the loop, a proposal by the search, opening a run, status and page; and the disk."""
    files = read_task(DIGITS)
    sandbox = FakeSandbox()
    new = NewRun(
        id="bench",
        task_name=files.name,
        task_hash=sandbox.prepare(files).hash,
        program=files.program,
        prepare=files.prepare,
        settings=sandbox.tasks()[0].settings,
        agent="replay",
        agent_source=None,
        limits=RunLimits(),
    )
    replay = Replay(_candidates(files.train, AT[-1] + 2 * len(AT) * ROUNDS))
    search = Search("bench", files.train)
    found: dict[str, list[float]] = {}
    with (
        tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as runs,
        mock.patch.dict(os.environ, SEALED_RUNS=runs),
    ):
        folder = Path(runs) / "bench"
        folder.mkdir()
        with Run.opened(folder, new, files.train):
            opened = partial(Run.opened, folder, None, files.train)
        for count in AT:
            with opened() as run:
                run.limit(RunLimits(most_experiments=count))
                Loop(run, replay, sandbox, Clock()).drive()
                for name, agent in (("loop", replay), ("loop with search", search)):
                    run.limit(RunLimits(most_experiments=run.view().proposals + ROUNDS))
                    clock = Clock()
                    Loop(run, agent, sandbox, clock).drive()
                    found.setdefault(name, []).append(median(clock.seconds))
            for name, act in (
                ("opening", lambda: _open(opened())),
                ("status", lambda: status_of(folder)),
                ("page", lambda: run_view(folder.name, None)),
            ):
                found.setdefault(name, []).append(_cost(act))
        sizes = [(path.name, _size(path)) for path in sorted(folder.iterdir())]
    rows = {
        f"d {name}, s" + ("" if count == AT[-1] else f", at {count:,}"): {
            "value": cost,
            "base": costs[0],
            "ratio": cost / costs[0],
        }
        for name, costs in sorted(found.items())
        for count, cost in zip(AT[1:], costs[1:], strict=True)
    }
    return rows | {f"d {name}, MB": {"value": size / 1e6} for name, size in sizes if size}


def _candidates(train: str, count: int) -> list[Candidate]:
    """Versions of train.py that a search knows as kin, with a log of their own."""
    rng = random.Random("bench")
    constants = marked(train).constants
    texts = {
        marked(train).with_values(
            [
                c.domain.fit(rng.uniform(c.domain.low, c.domain.high))
                if isinstance(c.domain, Range)
                else rng.choice(c.domain.literals)
                for c in constants
            ]
        ): None
        for _ in range(count)
    }
    return [
        Candidate(source=f"{text}# fake: spread=0.1 log='{_LOG}{number}'\n", hypothesis=f"{number}")
        for number, text in enumerate(texts)
    ]


def _open(run: AbstractContextManager[Run]) -> None:
    with run:
        pass


def _cost(act: Callable[[], object]) -> float:
    """Seconds of CPU of one call."""
    seconds = []
    for _ in range(CALLS):
        began = time.process_time()
        act()
        seconds.append(time.process_time() - began)
    return median(seconds)


def _size(path: Path) -> int:
    """Bytes on the disk."""
    files = [path, *path.rglob("*")]
    return sum(512 * file.lstat().st_blocks for file in files)
