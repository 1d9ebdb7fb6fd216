"""A sandbox without an engine, for tests of what is built on one. It runs no candidate.

What a candidate's trial comes to is read from its comments, as `fake_candidate.py` says, and
otherwise from its hash.
"""

import hashlib
import math
import random
import secrets
import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from sandbox import VERSION
from sandbox.api import (
    Chain,
    Check,
    Comparison,
    Info,
    OnProgress,
    Outcome,
    Progress,
    Reaped,
    Stage,
    Task,
    TaskFiles,
    TrialRequest,
    TrialResult,
    Verdict,
    no_progress,
    task_hash,
)
from sandbox.errors import (
    BadCandidate,
    BadRequest,
    BadTask,
    Cancelled,
    DataAltered,
    UnknownTask,
    UnknownTrial,
)
from sandbox.fake.candidate import EXAMPLES, directives, hashed_score, values_of, without_comments
from sandbox.receipts.chains import Receipts
from sandbox.receipts.statements import sha256
from sandbox.tasks.candidate import check_candidate
from sandbox.tasks.settings import parse_program
from sandbox.trials.results import Particulars, Record, check_key

_IN_PUBLIC = {Outcome.crash, Outcome.timeout, Outcome.over_memory, Outcome.over_output}
"""Outcomes that the fake ends training with; the others come later."""


class _Trial(Struct, frozen=True, kw_only=True):
    record: Record
    candidate: str
    values: list[float]

    @property
    def result(self) -> TrialResult:
        return self.record.result


class _State(Struct, kw_only=True):
    """All that outlives a process."""

    tasks: dict[str, Task] = {}
    altered: set[str] = set()
    trials: dict[str, _Trial] = {}
    executed: list[str] = []


class FakeSandbox:
    """Implements `api.Sandbox`; thread-safe.

    `folder`: where it remembers, so that another fake there knows the same; default: in memory.
    `landscape`: scores a candidate's text where its comments give no score.
    """

    def __init__(
        self, folder: Path | None = None, *, landscape: Callable[[str], float] | None = None
    ) -> None:
        self._file = None if folder is None else folder / "fake.json"
        home = folder or Path(tempfile.mkdtemp())
        if folder is None:
            weakref.finalize(self, shutil.rmtree, home, ignore_errors=True)
        self._receipts = Receipts(home / "receipts")
        self._landscape = landscape or hashed_score
        self._lock = threading.Lock()
        self._running: dict[str, threading.Event] = {}
        self._state = _State()
        if self._file is not None and self._file.exists():
            self._state = msgspec.json.decode(self._file.read_bytes(), type=_State)

    @property
    def executed(self) -> list[str]:
        """Keys of the trials that were really run, in order; a key twice would be a fault."""
        return list(self._state.executed)

    def alter(self, task: str) -> None:
        """As if somebody had changed the task's data."""
        self._state.altered.add(task)
        self._save()

    def split_anew(self, task: str) -> None:
        """As if somebody had forgotten the task and prepared it again, by another salt."""
        found = self._state.tasks[task]
        self._state.tasks[task] = msgspec.structs.replace(found, data=sha256(found.data))
        self._save()

    # ---- tasks -----------------------------------------------------------------------------

    def info(self) -> Info:
        """See `api.Sandbox`."""
        return Info(
            version=VERSION,
            instance="fake",
            engine="none",
            runtime="none",
            cpus=1,
            memory_bytes=2**30,
            gpus=[],
            images={},
            public_key=self._receipts.public_key,
        )

    def prepare(self, files: TaskFiles, on_progress: OnProgress = no_progress) -> Task:
        """See `api.Sandbox`."""
        settings, _ = parse_program(files.program)
        try:
            check_candidate(files.train)
        except BadCandidate as fault:
            raise BadTask(f"train.py: {fault.message}", fault.next_step) from None
        for name in ("prepare", "score"):
            if f"def {name}(" not in files.prepare:
                raise BadTask(f"prepare.py has no function `{name}`.", "Write it.")
        name = task_hash(files)
        if name not in self._state.tasks:
            on_progress(Progress(stage=Stage.preparing))
            outcome = Outcome(directives(files.train).get("outcome", Outcome.scored))
            if outcome is not Outcome.scored:
                raise BadTask(f"The task's own train.py ends `{outcome}`.", "Mend the task.")
            self._state.tasks[name] = Task(
                hash=name,
                name=files.name,
                settings=settings,
                prepared_at=datetime.now(UTC).isoformat(),
                data_bytes=len(files.prepare),
                files=3,
                data=sha256(files.prepare),
            )
            self._save()
        return self._state.tasks[name]

    def tasks(self) -> list[Task]:
        """See `api.Sandbox`."""
        found = self._state.tasks.values()
        return sorted(found, key=lambda task: task.prepared_at, reverse=True)

    def verify(self, task: str, on_progress: OnProgress = no_progress) -> Task:
        """See `api.Sandbox`."""
        found = self._task(task)
        on_progress(Progress(stage=Stage.hashing))
        if task in self._state.altered:
            raise DataAltered(f"The data of task {found.name} was altered.", "Prepare it again.")
        return found

    def survey(self, task: str) -> list[Check]:
        """See `api.Sandbox`; the fake has neither data nor images."""
        self._task(task)
        return [
            Check(name=name, verdict=Verdict.not_applicable, measured=True, detail="A fake's.")
            for name in ("duplicates", "agent_image")
        ]

    def forget(self, task: str) -> None:
        """See `api.Sandbox`."""
        self._task(task)
        del self._state.tasks[task]
        self._state.altered.discard(task)
        self._save()

    def _task(self, name: str) -> Task:
        if name not in self._state.tasks:
            raise UnknownTask(f"No task {name[:12]} is prepared here.", "Prepare it.")
        return self._state.tasks[name]

    # ---- trials ----------------------------------------------------------------------------

    def run(self, request: TrialRequest, on_progress: OnProgress = no_progress) -> TrialResult:
        """See `api.Sandbox`."""
        check_key(request.key)
        check_key(request.run or request.key)
        check_candidate(request.candidate)
        done = threading.Event()
        while True:
            with self._lock:
                if found := self._state.trials.get(request.key):
                    if (found.candidate, found.result.task) != (request.candidate, request.task):
                        raise BadRequest(
                            f"Trial {request.key} ran another candidate.", "Choose another key."
                        )
                    self._receipts.add_trial(found.record)
                    return found.result
                other = self._running.get(request.key)
                if other is None:
                    self._running[request.key] = done
                    break
            other.wait()
        try:
            return self._run(request, on_progress, done)
        finally:
            with self._lock:
                del self._running[request.key]
            done.set()

    def _run(
        self, request: TrialRequest, on_progress: OnProgress, done: threading.Event
    ) -> TrialResult:
        task = self._task(request.task)
        told = directives(request.candidate)
        outcome = Outcome(told.get("outcome", Outcome.scored))
        if not request.key.endswith("-1"):
            outcome = Outcome(told.get("later", outcome))
        if request.key.endswith(f"-{told.get('caught')}"):
            outcome = Outcome.dishonest
        stages = [Stage.waiting, Stage.building, Stage.training]
        if outcome not in _IN_PUBLIC:
            stages += [Stage.rehearsing, Stage.scoring]
        for stage in stages:
            training = stage is Stage.training
            on_progress(
                Progress(stage=stage, seconds=task.settings.budget_seconds if training else None)
            )
            if training and done.wait(float(told.get("wait", 0))):
                raise Cancelled(f"Trial {request.key} was cancelled.", "Run it again.")
        score = None
        if outcome is Outcome.scored:
            written = told.get("score")
            score = self._landscape(request.candidate) if written is None else float(written)
            if noise := float(told.get("noise", 0)):
                score += random.Random(request.key).gauss(0, noise)
        reached = score is not None or "rehearsal" in told
        rehearsal = float(told.get("rehearsal", score or 0.0)) if reached else None
        log = told.get("log", "")
        seconds = float(told.get("seconds", task.settings.budget_seconds / 2))
        sealed = ["vault"] if request.vault and score is not None else []
        if sealed:
            on_progress(Progress(stage=Stage.scoring, detail="vault"))
        result = TrialResult(
            key=request.key,
            task=request.task,
            outcome=outcome,
            score=score,
            rehearsal_score=rehearsal,
            vault_score=score if sealed else None,
            reason=told.get("reason", "" if score is not None else f"It ends {outcome}."),
            log=log,
            log_bytes=len(log.encode()),
            seconds=seconds,
            wall_seconds=seconds + 1,
            stage_seconds={
                str(stage): seconds if stage is Stage.training else 0.5
                for stage in (*stages[1:], *sealed)
            },
            peak_memory_bytes=int(told.get("memory", 10_000_000)),
            examples=EXAMPLES if score is not None else 0,
            device="cpu",
            attempts=1,
        )
        values = (
            values_of(request, score, float(told.get("spread", 0))) if score is not None else []
        )
        record = _record(request, result, task)
        with self._lock:
            self._state.executed.append(request.key)
            self._state.trials[request.key] = _Trial(
                record=record, candidate=request.candidate, values=values
            )
            self._save()
        self._receipts.add_trial(record)
        return result

    def result(self, key: str) -> TrialResult:
        """See `api.Sandbox`."""
        return self._trial(key).result

    def _trial(self, key: str) -> _Trial:
        check_key(key)
        if key not in self._state.trials:
            raise UnknownTrial(f"No finished trial has the key {key}.", "Run it first.")
        return self._state.trials[key]

    def cancel(self, key: str) -> None:
        """See `api.Sandbox`."""
        check_key(key)
        with self._lock:
            if key in self._running:
                self._running[key].set()

    def compare(self, first: Sequence[str], second: Sequence[str], run: str = "") -> Comparison:
        """See `api.Sandbox`."""
        return self._receipts.compare(run, first, second, self._compare)

    def receipts(self, run: str, after: int) -> Chain:
        """See `api.Sandbox`."""
        return self._receipts.after(run, after)

    def close_run(self, run: str, kept: Sequence[str]) -> None:
        """See `api.Sandbox`."""
        self._receipts.close(run, lambda key: self._trial(key).record, kept)

    def _compare(self, first: Sequence[str], second: Sequence[str]) -> Comparison:
        if not first or not second:
            raise BadRequest("A comparison needs trials on both sides.", "Give their keys.")
        trials = {key: self._trial(key) for key in (*first, *second)}
        if len({trial.result.task for trial in trials.values()}) != 1:
            raise BadRequest("Trials of different tasks can't be compared.", "Choose one task's.")
        if unscored := [key for key, trial in trials.items() if not trial.values]:
            raise BadRequest(f"Trial {unscored[0]} has no score.", "Compare scored trials.")
        differences = [
            math.fsum(trials[key].values[n] / len(first) for key in first)
            - math.fsum(trials[key].values[n] / len(second) for key in second)
            for n in range(EXAMPLES)
        ]
        mean = math.fsum(differences) / EXAMPLES
        squares = math.fsum((difference - mean) ** 2 for difference in differences)
        return Comparison(
            difference=mean,
            standard_error=math.sqrt(squares / (EXAMPLES - 1) / EXAMPLES),
            examples=EXAMPLES,
        )

    def fingerprint(self, candidate: str) -> str:
        """See `api.Sandbox`; what the fake is told in comments is its code."""
        check_candidate(candidate)
        return hashlib.sha256(without_comments(candidate).encode()).hexdigest()

    # ---- the house -------------------------------------------------------------------------

    def doctor(self) -> list[Check]:
        """See `api.Sandbox`."""
        detail = "This sandbox is a fake: it contains nothing, and runs nothing."
        fake = Check(name="fake", verdict=Verdict.not_applicable, measured=True, detail=detail)
        return [fake, self._receipts.check()]

    def reap(self) -> Reaped:
        """See `api.Sandbox`."""
        return Reaped(containers=0, volumes=0)

    def _save(self) -> None:
        if self._file is None:
            return
        with tempfile.NamedTemporaryFile(dir=self._file.parent, delete=False) as draft:
            draft.write(msgspec.json.encode(self._state))
        Path(draft.name).replace(self._file)


def _record(request: TrialRequest, result: TrialResult, task: Task) -> Record:
    """As the real sandbox keeps it, so that the receipt is made by the same code."""
    particulars = Particulars(
        run=request.run,
        settings=task.settings,
        accepted=request.accepted,
        data=task.data,
        policy=sha256("none"),
        engine="none",
        sandbox=VERSION,
        secret=secrets.token_hex(32),
        transcript=sha256(request.key),
        transcript_nonce="",
    )
    return Record(
        result=result,
        candidate=sha256(request.candidate),
        seed=secrets.randbits(32),
        images={},
        runtime="",
        finished_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        particulars=particulars if request.run else None,
    )
