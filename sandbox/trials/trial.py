"""One trial: a candidate is trained, rehearsed, and scored out of its reach.

Theory of operation. Five containers of one set wait, started beforehand, none with agent code in
it: trainer, two predictors, scorer, holder. Their roots are read-only, they have no network, and
each has its own pair of uids.

  holder     waits; by mounting the artifact's tmpfs it keeps it alive between the others. When
             asked it counts files with holes, by their sizes: it opens nothing of the artifact.
  trainer    init is a shell that waits for a number of seconds; armed, it becomes `sleep`. The
             runner was started by the container's one exec under another uid and has numpy warm.
             We arm the timer, send the candidate as the first frame, and start our own clock. At
             the budget, or when `train` has returned, we kill the container. If we, the
             controller and the engine are all dead by then, `sleep` ends and the kernel kills
             every process with it.
  predictor  the same, with the artifact read-only and no data. The first one rehearses on the
             public split: the agent may see what it logs. It is confirmed dead before the second,
             which answers for the held-out split, gets the candidate; its log is thrown away.
  scorer     never gets a byte of the candidate, mounts no artifact, and owns labels, arithmetic
             and the questions. Its pipe is our relay.

Pipes: the scorer's stdin and stdout, and each runner's, end here and carry frames; the runner's
stderr is the log. What agent code writes into any of them is length-checked and never parsed.

Whose fault: after the candidate's first byte every lost channel, crash or death is the
candidate's, unless the engine does not answer either, or holder or scorer, in which no agent code
ever ran, are lost too. And none of it counts if the machine slept meanwhile: a clock that goes on
in the sleep, in a container or out of it, has not timed the candidate.
"""

import itertools
import secrets
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from sandbox import limits
from sandbox.api import OnProgress, Outcome, Progress, Stage
from sandbox.containers.sets import ContainerSet
from sandbox.engine import Engine
from sandbox.errors import Cancelled
from sandbox.log_reader import last_line, one_line
from sandbox.trials.relay import Budgets, CandidateFailed, Relay, ScorerFailed
from sandbox.trials.transcript import Transcript
from sealed_task import frames, values
from sealed_task.frames import Kind

log = structlog.get_logger(__name__)


class OurFault(Exception):
    """The trial says nothing about the candidate: it ends `error`, or is tried again."""


@dataclass(frozen=True)
class Scored:
    """What the scorer said of one split; shapes as in `sealed_task.Score`."""

    values: NDArray[np.float64]
    block: NDArray[np.int64] | None
    slices: dict[str, NDArray[np.bool_]]

    @property
    def mean(self) -> float:
        """The score."""
        return float(self.values.mean())


@dataclass
class Report:
    """What is known of a trial so far; complete when `run_trial` returns."""

    outcome: Outcome = Outcome.error
    reason: str = ""
    held_out: Scored | None = None
    vault: Scored | None = None
    rehearsal: float | None = None
    log: str = ""
    log_bytes: int = 0
    seconds: float = 0.0
    peak_memory_bytes: int = 0
    transcript: Transcript = field(default_factory=Transcript)
    stages: dict[str, float] = field(default_factory=dict)
    """Monotonic time at which each stage began; `end` is none."""

    @property
    def stage_seconds(self) -> dict[str, float]:
        """Seconds of each stage, in their order."""
        return {
            name: after - began
            for (name, began), (_, after) in itertools.pairwise(self.stages.items())
        }


@dataclass(frozen=True)
class Candidate:
    """What a runner is told: the text, and for the trainer a secret seed."""

    source: str
    seed: int = field(default_factory=lambda: secrets.randbits(32))

    def frame(self, seconds: float = 0.0) -> bytes:
        """The first frame of a trainer (with its seconds) or a predictor (without a seed)."""
        order: dict[str, Any] = {"source": self.source, "artifact": "/artifact"}
        if seconds:
            order |= {"data": "/data/public", "seed": self.seed, "seconds": seconds}
        return values.encode(order)


def run_trial(
    engine: Engine,
    containers: ContainerSet,
    candidate: Candidate,
    baseline: str,
    on_progress: OnProgress,
    cancelled: Callable[[], bool],
    *,
    vault: bool = False,
) -> Report:
    """Train, rehearse, score. Raises `OurFault` and `Cancelled`; never a candidate's exception."""
    report = Report()
    trial = _Trial(engine, containers, candidate, baseline, report, on_progress, cancelled)
    try:
        spent = trial.train()
        trial.rehearse(spent)
        report.held_out = trial.score("held_out")
        report.outcome = Outcome.scored
        if vault:
            report.vault = trial.score("vault")
    except CandidateFailed as failure:
        trusted = (containers.holder, containers.scorer)
        if not engine.alive() or not all(container.reachable() for container in trusted):
            raise OurFault(f"the engine failed during the trial: {failure.reason}") from None
        # Of a failure in the vault nothing is told: a score that the decision rests on is there.
        if report.held_out is None:
            report.outcome, report.reason = failure.outcome, one_line(failure.reason)
    trial.check_awake()
    report.stages["end"] = time.monotonic()
    return report


def _asleep() -> float:
    """Seconds that the machine has slept since it started; 0 where the system does not tell."""
    if sys.platform != "linux":
        return 0.0
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)


@dataclass
class _Trial:
    engine: Engine
    containers: ContainerSet
    candidate: Candidate
    baseline: str
    report: Report
    on_progress: OnProgress
    cancelled: Callable[[], bool]
    asleep_before: float = field(default_factory=_asleep)

    def train(self) -> bool:
        """Run the trainer to its end; returns whether the budget was reached."""
        trainer = self.containers.trainer
        budget = self.containers.plan.settings.budget_seconds
        self._stage(Stage.training, budget)
        began = time.time()
        released = trainer.release(budget, self.candidate.frame(budget))
        deadline = released + budget
        try:
            status = self._watch(deadline)
            ended = time.monotonic()
            self._remember_memory()
        finally:
            trainer.kill()
        reached = status is None and ended >= deadline - limits.TIMER_GRACE
        self.report.seconds = min(ended, deadline) - released
        self.report.log = trainer.log.text()
        self.report.log_bytes = trainer.log.total
        if trainer.log.total > limits.LOG_FLOOD:
            raise CandidateFailed(Outcome.over_output, "the log is a flood")
        if status != 0 and trainer.ran_out_of_memory(began):
            memory = self.containers.plan.settings.memory_mib
            raise CandidateFailed(Outcome.over_memory, f"`train` needed over {memory} MiB")
        if status != 0 and not reached:
            detail = last_line(self.report.log)
            ending = "its container died" if status is None else f"it ended with status {status}"
            raise CandidateFailed(Outcome.crash, detail or f"`train` said nothing; {ending}")
        self._check_artifact()
        return reached

    def _watch(self, deadline: float) -> int | None:
        """Wait for the trainer's end: its exit status, 0 for DONE.

        None at the deadline, after a flood, or when the container died. The clock runs on as long
        as the program does, whatever it closes or prints: other frames and broken ones mean
        nothing, and the end of its streams is not its own end.
        """
        trainer = self.containers.trainer
        sampled = time.monotonic()

        def wake() -> None:
            nonlocal sampled
            self._wake()
            if time.monotonic() - sampled > 1.0 and deadline - time.monotonic() > 0.5:
                sampled = time.monotonic()
                self._remember_memory()

        while time.monotonic() < deadline and trainer.log.total <= limits.LOG_FLOOD:
            frame = trainer.wait_frame(deadline, wake)
            if frame is not None:
                if frame.kind == Kind.DONE:
                    return 0
                trainer.log.total += frames.HEADER.size
            elif trainer.stream.broken:
                trainer.stream.broken = ""
            elif trainer.stream.closed:
                status = trainer.exit_code()
                if status is not None or not trainer.alive():
                    return status
                wake()
                time.sleep(0.02)
        return None

    def _check_artifact(self) -> None:
        """Refuse holes: a predictor could fill them by reading, and the next one would see."""
        unfit = self.containers.unfit_entries()
        if unfit:
            raise CandidateFailed(
                Outcome.invalid,
                f"the artifact has {unfit} files with holes, or folders that can't be listed; "
                "write files in full, and leave folders as they are made",
            )

    def _remember_memory(self) -> None:
        seen = self.containers.trainer.memory_seen()
        self.report.peak_memory_bytes = max(self.report.peak_memory_bytes, seen)

    def rehearse(self, budget_reached: bool) -> None:
        """Score on the public split, so that the agent can debug `load` and its answers."""
        self._stage(Stage.rehearsing, None)
        relay = self._relay()
        try:
            self.report.rehearsal = self._ask(relay, "rehearsal").mean
        except CandidateFailed as failure:
            if budget_reached and failure.outcome is Outcome.crash:
                raise CandidateFailed(
                    Outcome.timeout,
                    f"the budget was reached and left nothing that loads ({failure.reason})",
                ) from None
            raise
        finally:
            if relay.current is not None:
                text = relay.current.log.text()
                self.report.log += ("\n" if self.report.log and text else "") + text
                self.report.log_bytes += relay.current.log.total

    def score(self, split: str) -> Scored:
        """Score on a sealed split. Of a failure here only the outcome is told."""
        self._stage(Stage.scoring, None, "vault" if split == "vault" else "")
        try:
            return self._ask(self._relay(), split)
        except CandidateFailed as failure:
            raise CandidateFailed(
                failure.outcome, f"{failure.outcome} in the sealed scoring"
            ) from None
        except ScorerFailed as fault:
            log.error("scorer failed", stage=split, fault=str(fault))
            raise OurFault(
                "the scorer failed in the sealed scoring; see the sandbox's log"
            ) from None

    def _relay(self) -> Relay:
        settings = self.containers.plan.settings
        return Relay(
            self.containers.scorer,
            self.containers.predictor,
            lambda baseline: (
                Candidate(self.baseline, 0).frame() if baseline else self.candidate.frame()
            ),
            Budgets(settings.load_seconds, settings.scoring_seconds),
            self._wake,
            self.report.transcript,
        )

    def _ask(self, relay: Relay, split: str) -> Scored:
        frame = relay.score(split)
        if frame.kind == Kind.INVALID:
            raise CandidateFailed(Outcome.invalid, frame.text())
        if frame.kind == Kind.DISHONEST:
            raise CandidateFailed(Outcome.dishonest, frame.text())
        return _scored(bytes(frame.payload))

    def _stage(self, stage: Stage, seconds: float | None, detail: str = "") -> None:
        self.report.stages[detail or str(stage)] = time.monotonic()
        self.on_progress(Progress(stage=stage, seconds=seconds, detail=detail))
        self._wake()

    def _wake(self) -> None:
        """Called a few times a second: ends a trial that is not to go on."""
        if self.cancelled():
            raise Cancelled("The trial was cancelled.", "Run it again with the same key.")
        self.check_awake()

    def check_awake(self) -> None:
        """Raise `OurFault` if the machine slept during the trial."""
        slept = _asleep() - self.asleep_before
        if slept > limits.ASLEEP:
            raise OurFault(f"the machine slept for {slept:.0f} s during the trial")


def _scored(payload: bytes) -> Scored:
    try:
        plain: Any = values.decode(payload)
        numbers = np.array(plain["values"], dtype=np.float64)
        block = None if plain["block"] is None else np.array(plain["block"], dtype=np.int64)
        slices = {name: np.array(mask, dtype=np.bool_) for name, mask in plain["slices"].items()}
    except (ValueError, KeyError, TypeError) as fault:
        raise OurFault(f"the scorer's score can't be read: {fault}") from None
    if numbers.ndim != 1 or not numbers.size or not (np.abs(numbers) <= limits.VALUE).all():
        raise CandidateFailed(
            Outcome.invalid, f"the score has a value that is NaN, or over {limits.VALUE:g}"
        )
    return Scored(numbers, block, slices)
