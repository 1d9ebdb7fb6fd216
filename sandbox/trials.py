"""Trials by key: run once, retried when the fault is ours, stored before anyone hears of them."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import structlog

from sandbox import limits
from sandbox.api import (
    OnProgress,
    Progress,
    Stage,
    TaskFiles,
    TaskSettings,
    TrialRequest,
    TrialResult,
)
from sandbox.candidate import check_candidate, warm_modules
from sandbox.container import StartFailed, Undead
from sandbox.errors import BadRequest, EngineUnavailable
from sandbox.gpus import Gpus
from sandbox.host import Host
from sandbox.relay import ScorerFailed
from sandbox.results import Record, Results, check_key
from sandbox.sets import DataChanged, Plan
from sandbox.store import Data, StoredTask, TaskStore, data_name
from sandbox.trial import Candidate, OurFault, Report, run_trial
from sandbox.warm import WarmSets

log = structlog.get_logger(__name__)

OUR_FAULTS = (OurFault, StartFailed, ScorerFailed)
"""What says nothing about a candidate."""


class Trials:
    """Runs trials one at a time in the machine's one slot; thread-safe."""

    def __init__(
        self, host: Host, store: TaskStore, results: Results, gpus: Gpus, *, keep_warm: bool
    ) -> None:
        self._host = host
        self._store = store
        self._results = results
        self._gpus = gpus
        self._keep_warm = keep_warm
        self.warm = WarmSets(host)
        self.slot = threading.Lock()
        """Held by whatever uses the machine: a trial, preparing, the doctor."""
        self._quarantine = ""
        self._lock = threading.Lock()
        self._running: dict[str, threading.Event] = {}
        self._cancelled: set[str] = set()

    def run(
        self, request: TrialRequest, stored: StoredTask, on_progress: OnProgress
    ) -> TrialResult:
        """See `api.Sandbox.run`. Raises `DataChanged` if the data is not what was prepared."""
        check_key(request.key)
        check_candidate(request.candidate)
        digest = hashlib.sha256(request.candidate.encode()).hexdigest()
        with self._claimed(request.key):
            if record := self._results.find(request.key):
                if record.candidate != digest or record.result.task != request.task:
                    raise BadRequest(
                        f"Trial {request.key} ran another candidate.", "Choose another key."
                    )
                return record.result
            on_progress(Progress(stage=Stage.waiting))
            with self.slot, self._gpus.lease(stored.task.settings.gpus) as gpu:
                return self._run(request, stored, digest, gpu, on_progress)

    def cancel(self, key: str) -> None:
        """Make the trial of this key stop; none running is fine."""
        check_key(key)
        with self._lock:
            if key in self._running:
                self._cancelled.add(key)

    def cancel_all(self) -> None:
        """Make every trial stop."""
        with self._lock:
            self._cancelled |= set(self._running)

    @contextmanager
    def _claimed(self, key: str) -> Iterator[None]:
        """Hold a key; wait while another call holds it."""
        mine = threading.Event()
        while (other := self._claim(key, mine)) is not mine:
            other.wait()
        try:
            yield
        finally:
            with self._lock:
                del self._running[key]
                self._cancelled.discard(key)
            mine.set()

    def _claim(self, key: str, mine: threading.Event) -> threading.Event:
        with self._lock:
            return self._running.setdefault(key, mine)

    def _run(
        self,
        request: TrialRequest,
        stored: StoredTask,
        digest: str,
        gpu: str,
        on_progress: OnProgress,
    ) -> TrialResult:
        data = self._store.data(stored.data)
        if data is None:
            raise DataChanged
        settings = stored.task.settings
        if settings.gpus == "auto" and not gpu:
            on_progress(Progress(stage=Stage.building, detail="no GPU: using the CPU"))
        plan = replace(
            self._plan(stored.files, settings, data, gpu, request.candidate),
            baseline_artifact=self._store.baseline_volume(stored.task.hash),
        )
        candidate = Candidate(request.candidate)
        began = time.monotonic()
        attempts, report = 0, Report()
        while attempts < limits.ATTEMPTS:
            attempts += 1
            try:
                report = self._attempt(
                    plan,
                    candidate,
                    stored.files,
                    on_progress,
                    lambda: request.key in self._cancelled,
                    vault=request.vault,
                )
                break
            except OUR_FAULTS as fault:
                report = Report(reason=str(fault)[: limits.REASON])
                log.warning("trial failed", trial_key=request.key, fault=str(fault))
        held_out = report.held_out
        result = TrialResult(
            key=request.key,
            task=request.task,
            outcome=report.outcome,
            score=held_out.mean if held_out else None,
            rehearsal_score=report.rehearsal,
            vault_score=report.vault.mean if report.vault else None,
            reason=report.reason,
            log=report.log,
            log_bytes=report.log_bytes,
            seconds=report.seconds,
            wall_seconds=time.monotonic() - began,
            stage_seconds=report.stage_seconds,
            peak_memory_bytes=report.peak_memory_bytes,
            examples=held_out.values.size if held_out else 0,
            device=gpu or "cpu",
            attempts=attempts,
        )
        record = Record(
            result=result,
            candidate=digest,
            seed=candidate.seed,
            images={"agent": plan.agent_image, "scorer": plan.scorer_image},
            runtime=self._host.config.runtime,
            finished_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        )
        self._results.add(record, held_out)
        return result

    def train_baseline(
        self, files: TaskFiles, settings: TaskSettings, data: Data, volume: str, on: OnProgress
    ) -> Report:
        """One trial of the task's own `train.py`, its artifact kept in `volume`.

        The caller holds the slot. Our own faults become an `error` report.
        """
        with self._gpus.lease(settings.gpus) as gpu:
            plan = replace(
                self._plan(files, settings, data, gpu, files.train),
                keep_artifact=volume,
                baseline_artifact=volume,
            )
            try:
                return self._attempt(plan, Candidate(files.train), files, on, lambda: False)
            except OUR_FAULTS as fault:
                return Report(reason=str(fault)[: limits.REASON])

    def _attempt(
        self,
        plan: Plan,
        candidate: Candidate,
        files: TaskFiles,
        on_progress: OnProgress,
        cancelled: Callable[[], bool],
        *,
        vault: bool = False,
    ) -> Report:
        if self._quarantine:
            raise EngineUnavailable(self._quarantine, "Restart the engine, then the sandbox.")
        on_progress(Progress(stage=Stage.building))
        began = time.monotonic()
        containers = self.warm.take(plan)
        try:
            report = run_trial(
                self._host.engine,
                containers,
                candidate,
                files.train,
                on_progress,
                cancelled,
                vault=vault,
            )
            report.stages = {str(Stage.building): began, **report.stages}
            return report
        except Undead as fault:
            self._quarantine = f"The slot is in quarantine: {fault}."
            raise OurFault(str(fault)) from None
        except EngineUnavailable as fault:
            if not self._host.engine.alive():
                raise
            raise OurFault(str(fault)) from None
        finally:
            if plan.keep_artifact:
                containers.close()
            else:
                self.warm.retire(containers)
                if self._keep_warm:
                    self.warm.renew(plan)

    def _plan(
        self, files: TaskFiles, settings: TaskSettings, data: Data, gpu: str, candidate: str
    ) -> Plan:
        agent, scorer = self._host.images(settings)
        return Plan(
            instance=self._host.instance,
            settings=settings,
            agent_image=agent.id,
            scorer_image=scorer.id,
            volumes=self._store.volumes(data_name(files)),
            data_digest=data.quick,
            modules=warm_modules(candidate),
            baseline_modules=warm_modules(files.train),
            runtime=self._host.config.runtime,
            gpu=gpu,
            engine_cpus=self._host.cpus,
            engine_memory_mib=self._host.memory_mib,
        )
