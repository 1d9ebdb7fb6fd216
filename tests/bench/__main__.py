"""`make bench`: what sealing costs, as ratios measured in one run. Writes `bench.json`.

a1  overhead of a trial with its set of containers ready: wall seconds less the trainer's own
a2  the same back to back, with setting the containers up
    both over one bare `docker run --rm` of the agent image, which does nothing; then, where the
    engine has gVisor, the same under it, over what they take under the runtime that is set
b   seconds that a candidate lives over its budget: it forks and ignores every signal
c   the relay, over a bare attach to a container that runs `cat`: seconds of a small question and
    its answer, over those of an echo; and MB/s of questions and answers, over MB/s echoed. A byte
    counts once: relayed from one container to another, or sent to one and back, it passes the
    engine twice
d   seconds of CPU that the loop takes for an experiment, with trials of the fake sandbox: at 1,000
    and 10,000 experiments over at 10; likewise with the search, which learns from what it has
    tried, and of opening a run, of `sealed status` and of the page; and MB of such a run

Then, for each task of `tasks/`, seconds of a trial of its own `train.py`: training, rehearsing
and scoring, and overhead, which is all the rest of the trial, with its containers ready.
"""

import contextlib
import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
from rich.console import Console
from rich.table import Table

from controller.task import read_task
from sandbox.api import Task, TrialRequest, TrialResult
from sandbox.config import from_environment
from sandbox.containers.host import Host
from sandbox.service import Service
from tests.bench.attach import bare_attach
from tests.bench.loop import loop_costs
from tests.support.files import task_files

TASKS = Path(__file__).parents[1] / "tasks"
SHIPPED = Path(__file__).parents[2] / "tasks"
ROUNDS = 20
GOALS = {
    "a1 overhead, set ready": "at most 1.5",
    "a2 overhead, back to back": "at most 4",
    "a1 under gVisor": "",
    "a2 under gVisor": "",
    "b over budget, median s": "under 0.05",
    "b over budget, worst s": "under 0.5",
    "c MB/s": "at least 0.5",
    "d loop, s": "under 2",
}

_numbers = itertools.count()


@contextlib.contextmanager
def sandbox(**settings: str) -> Iterator[tuple[Service, Host]]:
    """A sandbox of its own, gone afterwards with all its volumes."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        host = Host.of(replace(from_environment(), home=home, socket=home / "s", **settings))
        service = Service(host)
        try:
            yield service, host
        finally:
            for task in service.tasks():
                service.forget(task.hash)
            service.close()


def bare_run(image: str) -> float:
    """Seconds of one bare `docker run`."""
    began = time.perf_counter()
    subprocess.run(["docker", "run", "--rm", image, "/bin/true"], check=True, capture_output=True)
    return time.perf_counter() - began


class Runner:
    """Runs candidates of one task under fresh keys."""

    def __init__(self, service: Service, task: Task) -> None:
        self._service = service
        self._task = task

    def run(self, candidate: str) -> tuple[TrialResult, float]:
        """The result, and the seconds of the whole call."""
        began = time.perf_counter()
        result = self._service.run(
            TrialRequest(
                key=f"bench-{next(_numbers)}",
                task=self._task.hash,
                candidate=candidate,
            )
        )
        return result, time.perf_counter() - began


def overheads(service: Service, host: Host) -> dict[str, dict[str, float]]:
    """a1 and a2, taken in turn with the bare run."""
    tiny = task_files(TASKS / "tiny")
    runner = Runner(service, service.prepare(tiny))
    image = host.config.agent_image
    bare, ready = [], []
    runner.run(tiny.train)
    for _ in range(ROUNDS):
        service.trials.warm.wait()
        time.sleep(0.2)  # the set before this one is being removed
        bare.append(bare_run(image))
        result, wall = runner.run(tiny.train)
        ready.append(wall - result.seconds)
        service.trials.warm.wait()
    service.trials.warm.drop()
    began, own = time.perf_counter(), 0.0
    for _ in range(ROUNDS):
        result, _ = runner.run(tiny.train)
        own += result.seconds
    back_to_back = (time.perf_counter() - began - own) / ROUNDS
    base = median(bare)
    return {
        "a1 overhead, set ready": _row(median(ready), base),
        "a2 overhead, back to back": _row(back_to_back, base),
    }


def under_gvisor(plain: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """a1 and a2 under gVisor, over the same under the runtime that is set."""
    with sandbox(runtime="runsc") as (service, host):
        values = [row["value"] for row in overheads(service, host).values()]
    names = ("a1 under gVisor", "a2 under gVisor")
    bases = [row["value"] for row in plain.values()]
    return {name: _row(*pair) for name, *pair in zip(names, values, bases, strict=True)}


STUBBORN = """
import os, signal, sys, time
def train(data, artifact, seed, seconds):
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    print("began", time.monotonic(), file=sys.stderr, flush=True)
    for _ in range(2):
        if os.fork() == 0:
            os.setsid()
    while True:
        print(time.monotonic(), file=sys.stderr, flush=True)
        time.sleep(0.002)
def load(artifact): ...
"""


def over_budget(service: Service) -> dict[str, dict[str, float]]:
    """b: from the candidate's own clock, its first byte to its last sign of life."""
    task = service.prepare(task_files(TASKS / "tiny"))
    runner = Runner(service, task)
    late = []
    for number in range(ROUNDS):
        result, _ = runner.run(STUBBORN + f"# {number}\n")
        words = result.log.split()
        first = float(words[words.index("began") + 1])
        last = max(float(word) for word in words[-40:] if word[:1].isdigit() and "." in word)
        late.append(last - first - task.settings.budget_seconds)
    return {
        "b over budget, median s": {"value": median(late)},
        "b over budget, worst s": {"value": max(late)},
    }


def relay(service: Service, host: Host) -> dict[str, dict[str, float]]:
    """c: the scorer's own clock, against `cat` at the end of a bare attach."""
    files = task_files(TASKS / "relay")
    task = service.prepare(files)
    trip, transfer = [], []
    bare = bare_attach(host)
    runner = Runner(service, task)
    for number in range(3):
        result, _ = runner.run(files.train + f"# {number}\n")
        values = np.frombuffer(
            (host.config.home / "trials" / f"{result.key}.values").read_bytes(), "<f8", 2, 16
        )
        trip.append(float(values[0]))
        transfer.append(float(values[1]))
    speed = 2 * 8 * (1 << 15) / 1e6 / median(transfer)
    return {
        "c round trip": _row(median(trip), bare.round_trip),
        "c MB/s": _row(speed, bare.megabytes_per_second),
    }


def trials(service: Service) -> dict[str, dict[str, float]]:
    """Seconds of the second trial of each shipped task, so that a set of containers is ready."""
    rows = {}
    for folder in sorted(path.parent for path in SHIPPED.glob("*/program.md")):
        files = read_task(folder)
        task = service.prepare(files)
        runner = Runner(service, task)
        for _ in range(2):
            result, wall = runner.run(files.train)
            service.trials.warm.wait()
        stages = result.stage_seconds
        scoring = stages.get("rehearsing", 0.0) + stages.get("scoring", 0.0)
        rows[folder.name] = {
            "training": result.seconds,
            "scoring": scoring,
            "overhead": wall - result.seconds - scoring,
        }
        service.forget(task.hash)
    return rows


def _row(value: float, base: float) -> dict[str, float]:
    return {"value": value, "base": base, "ratio": value / base}


def main() -> None:
    """Measure, print, write."""
    with sandbox() as (service, host):
        rows = overheads(service, host)
        rows |= under_gvisor(rows) if "runsc" in host.runtimes else {}
        rows |= over_budget(service) | relay(service, host)
        tasks = trials(service)
    rows |= loop_costs()
    table = Table("measure", "value", "bare", "ratio", "goal")
    for name, row in rows.items():
        numbers = [f"{row[key]:.4g}" if key in row else "" for key in ("value", "base", "ratio")]
        table.add_row(name, *numbers, GOALS.get(name, ""))
    seconds = Table("task", "training s", "scoring s", "overhead s", "overhead / training")
    for name, row in tasks.items():
        columns = [f"{value:.2f}" for value in row.values()]
        seconds.add_row(name, *columns, f"{row['overhead'] / row['training']:.2f}")
    console = Console(width=90)
    console.print(table)
    console.print(seconds)
    Path("bench.json").write_text(json.dumps(rows | {"tasks": tasks}, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
