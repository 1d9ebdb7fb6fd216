"""The soak itself: the processes, who is killed when, and what is looked at meanwhile.

First the storm: controller and sandbox are killed at random times and started again, as Compose
would, on an engine that lies. Then each lives once to the end: a while in peace, a while with lies,
a while in peace again. Before the lies and after them the run is paused, and both services are
looked at while they rest: what they hold more of the second time has leaked.
"""

import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from controller.ledger import Halt, Ledger, Session, Wanted
from controller.runs import want
from sandbox.engine import Engine
from tests.soak.candidates import write_candidates
from tests.soak.liar import Liar
from tests.soak.verdict import Sample, Story, held_more
from tests.support.lying_engine import LyingEngine
from tests.support.services import Services
from tests.support.tasks import TINY

VICTIMS = ("controller", "sandbox")
_STORM_SHARE = 0.5
_PEACE_SHARE = 0.1
"""Of the trials, before the lies of the last life, and again after them."""
_KILL_TRIALS = 15
_KILL_SECONDS = 3.0
"""The most trials from a start to the next kill, and the longest time after the last of them."""
_DEAD_SECONDS = 1.0
"""The longest time that a killed one is left dead."""
_STUCK_SECONDS = 300.0
_LOOK_SECONDS = 0.2
_SETTLE_SECONDS = 5.0
"""Until a service with nothing to do is at rest: its next set of containers is ready then."""
_REST_SECONDS = 80.0
"""The longest time until it is, after lies: a call that hung is given up by then."""
_SEALED = "import sys; from controller.cli import main; sys.exit(main())"


class Soaked(Struct, kw_only=True):
    """What was seen."""

    seconds: float
    kills: Counter[str]
    ended: Counter[str]
    """Who ended by itself, for want of an engine that answers, and was started again."""
    resumed: int
    """How often a person had to say so: three errors in a row halt a run."""
    lies: Counter[str]
    rests: dict[str, tuple[Sample, Sample]]
    """By service, before and after the lies of its last life."""
    life: dict[str, list[Sample]]
    """By service, from the first rest to the end."""
    story: Story
    left: dict[str, list[str]]


class Storm:
    """One soak in a folder of its own."""

    def __init__(self, folder: Path, engine: Engine, socket: str, trials: int, seed: int) -> None:
        """`socket`: the engine's."""
        self._rng = random.Random(seed)
        self._trials = trials
        write_candidates(folder / "candidates", seed, trials)
        self._services = Services(folder, engine, (TINY / "train.py").read_text())
        self._proxy = LyingEngine(folder / "engine.sock", socket)
        self._liar = Liar(self._proxy, seed)
        self._kills: Counter[str] = Counter()
        self._ended: Counter[str] = Counter()
        self._resumed = 0
        self._seeds: dict[str, set[int]] = defaultdict(set)
        self._life: dict[str, list[Sample]] = {name: [] for name in VICTIMS}

    def run(self) -> Soaked:
        """Go through it; nothing is left, however it ends. Raises `AssertionError` if stuck."""
        began = time.monotonic()
        storm = int(self._trials * _STORM_SHARE)
        peace = max(4, int(self._trials * _PEACE_SHARE))
        try:
            self._start(*VICTIMS)
            self._until(0)
            with self._lies():
                self._kill_until(storm)
            self._kill(*VICTIMS)  # both begin their last life now
            self._start(*VICTIMS)
            self._until(storm + peace)
            before = self._rest()
            with self._lies():
                self._until(self._trials - peace, measured=True)
            self._until(self._trials - 1, measured=True)
            after = self._rest(before)
            self._until(self._trials, measured=True)
            self._services.see()
            self._services.end()
            rests = {name: (before[name], after[name]) for name in VICTIMS}
            return self._soaked(time.monotonic() - began, rests)
        finally:
            self._proxy.close()
            self._services.clear()

    # ---- who dies ----------------------------------------------------------------------------

    def _kill_until(self, trials: int) -> None:
        """Kill at random times until so many experiments are recorded."""
        while (now := self._recorded()) < trials:
            self._until(min(trials, now + self._rng.randrange(_KILL_TRIALS)))
            time.sleep(self._rng.uniform(0, _KILL_SECONDS))
            victims = self._rng.choice([VICTIMS[:1], VICTIMS[1:], VICTIMS])
            self._kill(*victims)
            time.sleep(self._rng.uniform(0, _DEAD_SECONDS))
            self._start(*victims)

    def _kill(self, *names: str) -> None:
        for key, seed in self._services.begun().items():
            self._seeds[key].add(seed)
        self._services.kill(*names)
        self._kills.update(names)

    def _start(self, *names: str) -> None:
        for name in names:
            if name == "sandbox":
                words = ["-m", "tests.support.walked", "sandbox", "serve"]
                self._services.spawn(name, words, {"DOCKER_HOST": self._proxy.url})
            else:
                candidates = str(self._services.folder / "candidates")
                words = [
                    "-c", _SEALED, "serve", str(self._services.task), "--port", "0",
                    "--agent", "replay", "--from", candidates, "--experiments", str(self._trials),
                ]  # fmt: skip
                self._services.spawn(name, words, {})

    @contextmanager
    def _lies(self) -> Iterator[None]:
        self._liar.lying = True
        yield
        self._liar.lying = False

    # ---- who lives ---------------------------------------------------------------------------

    def _until(self, trials: int, *, measured: bool = False) -> None:
        """Until experiment `trials` is recorded."""
        moved = time.monotonic()
        before = self._recorded()
        while (now := self._recorded()) < trials:
            if now != before:
                before, moved = now, time.monotonic()
                if measured:
                    for name in VICTIMS:
                        self._life[name].append(self._sample(name, now))
            if time.monotonic() > moved + _STUCK_SECONDS:
                logs = "\n".join(f"{name}:\n{self._services.log(name)}" for name in VICTIMS)
                raise AssertionError(f"nothing goes on after experiment {now}\n{logs}")
            self._tend(measured)
            time.sleep(_LOOK_SECONDS)

    def _tend(self, measured: bool) -> None:
        """What Compose and a person do: start what ended, and go on after three errors."""
        for name in VICTIMS:
            if self._services.processes[name].poll() is not None:
                assert not measured, f"{name} died\n{self._services.log(name)}"
                self._ended[name] += 1
                self._start(name)
        if self._recorded() >= 0 and self._session().halt is Halt.errors:
            self._resumed += 1
            want(self._services.run, Wanted.running)
            time.sleep(_DEAD_SECONDS)

    def _session(self) -> Session:
        with Ledger(self._services.run / "ledger.sqlite", writing=False) as ledger:
            return ledger.sessions()[-1]

    def _recorded(self) -> int:
        """The number of the last recorded experiment; -1: not even the baseline is."""
        file = self._services.run / "ledger.sqlite"
        if not file.exists():
            return -1
        with Ledger(file, writing=False) as ledger:
            if ledger.run() is None:
                return -1
            return -1 if ledger.champion() is None else ledger.tally().experiments

    def _rest(self, before: dict[str, Sample] | None = None) -> dict[str, Sample]:
        """Pause the run, and look at both services once they hold no more than `before`."""
        want(self._services.run, Wanted.paused)
        while self._session().halt is not Halt.paused:
            time.sleep(_LOOK_SECONDS)
        deadline = time.monotonic() + _REST_SECONDS
        time.sleep(_SETTLE_SECONDS)
        while True:
            found = {name: self._sample(name, 0) for name in VICTIMS}
            found["sandbox"] = replace(found["sandbox"], **self._services.held())
            if before is None or time.monotonic() > deadline:
                break
            if not any(held_more(before[name], found[name]).values() for name in VICTIMS):
                break
            time.sleep(_LOOK_SECONDS)
        want(self._services.run, Wanted.running)
        return found

    def _sample(self, name: str, trials: int) -> Sample:
        process = Path("/proc") / str(self._services.processes[name].pid)
        lines = (process / "status").read_text().splitlines()
        status = dict(line.split(":", 1) for line in lines)
        return Sample(
            trials=trials,
            resident_kib=int(status["VmRSS"].split()[0]),
            descriptors=len(list((process / "fd").iterdir())),
            threads=int(status["Threads"]),
        )

    # ---- the end -----------------------------------------------------------------------------

    def _soaked(self, seconds: float, rests: dict[str, tuple[Sample, Sample]]) -> Soaked:
        commits, main = self._services.commits()
        return Soaked(
            seconds=seconds,
            kills=self._kills,
            ended=self._ended,
            resumed=self._resumed,
            lies=self._liar.told,
            rests=rests,
            life=self._life,
            story=Story(
                wanted=self._trials,
                experiments=self._services.experiments(),
                records=self._services.records(),
                commits=commits,
                main=main,
                seeds={key: frozenset(seeds) for key, seeds in self._seeds.items()},
            ),
            left=self._services.left(),
        )
