"""Trials by key: run once, retried when the fault is ours, stored before anyone hears of them."""

import hashlib
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import structlog

from sandbox import VERSION, limits
from sandbox.api import (
    OnProgress,
    Progress,
    Stage,
    TaskFiles,
    TaskSettings,
    TrialRequest,
    TrialResult,
)
from sandbox.containers.container import StartFailed, Undead
from sandbox.containers.gpus import Gpus
from sandbox.containers.host import Host
from sandbox.containers.quarantine import Quarantine, cores_of, notation
from sandbox.containers.sets import ContainerSet, DataChanged, Plan, policy_hash
from sandbox.containers.warm import WarmSets
from sandbox.engine_errors import START_ENGINE
from sandbox.errors import BadRequest, Cancelled, EngineUnavailable, NoSpace
from sandbox.tasks.candidate import check_candidate, warm_modules
from sandbox.tasks.store import Data, StoredTask, TaskStore, data_name
from sandbox.trials.relay import ScorerFailed
from sandbox.trials.results import Begun, Particulars, Record, Results, check_key
from sandbox.trials.trial import Candidate, OurFault, Report, Scored, run_trial

log = structlog.get_logger(__name__)

OUR_FAULTS = (OurFault, StartFailed, ScorerFailed)
"""What says nothing about a candidate."""
_LOOK_SECONDS = 0.25


class Trials:
    """Runs trials one at a time in the machine's one slot; thread-safe."""

    def __init__(
        self,
        host: Host,
        store: TaskStore,
        results: Results,
        gpus: Gpus,
        quarantine: Quarantine,
        *,
        keep_warm: bool,
    ) -> None:
        self._host = host
        self._store = store
        self._results = results
        self._gpus = gpus
        self._quarantine = quarantine
        self._keep_warm = keep_warm
        self.warm = WarmSets(host, quarantine)
        self.slot = threading.Lock()
        """Held by whatever uses the machine: a trial, preparing, the doctor."""
        self._lock = threading.Lock()
        self._running: dict[str, threading.Event] = {}
        self._cancelled: set[str] = set()

    def run(
        self, request: TrialRequest, stored: StoredTask, on_progress: OnProgress
    ) -> TrialResult:
        """See `api.Sandbox.run`. Raises `DataChanged` if the data is not what was prepared."""
        check_key(request.key)
        check_candidate(request.candidate)
        settings = stored.task.settings
        digest = hashlib.sha256(request.candidate.encode()).hexdigest()
        with self._claimed(request.key):
            if record := self._results.find(request.key):
                if record.candidate != digest or record.result.task != request.task:
                    raise BadRequest(
                        f"Trial {request.key} ran another candidate.", "Choose another key."
                    )
                return record.result
            on_progress(Progress(stage=Stage.waiting))
            try:
                while True:
                    self._await_resources(request.key, settings, on_progress)
                    with self.slot:
                        cores = self._quarantine.cores(settings.cpus)
                        if cores is not None and self._gpus.available(settings.gpus):
                            with self._gpus.lease(settings.gpus) as gpu:
                                return self._run(request, stored, digest, cores, gpu, on_progress)
            except Cancelled:
                self._results.give_up(request.key)
                raise

    def _await_resources(self, key: str, settings: TaskSettings, on: OnProgress) -> None:
        """Until CPUs and GPU are out of quarantine; the slot is not held, so all else goes on."""
        told = ""
        while self._quarantine.cores(settings.cpus) is None or not self._gpus.available(
            settings.gpus
        ):
            why = self._quarantine.why
            if why != told:
                told = why
                on(Progress(stage=Stage.waiting, detail=f"in quarantine: {why}"))
            self._check_cancelled(key)
            time.sleep(_LOOK_SECONDS)

    def _check_cancelled(self, key: str) -> None:
        if key in self._cancelled:
            raise Cancelled("The trial was cancelled.", "Run it again with the same key.")

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
        cores: frozenset[int],
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
            self._plan(stored.files, settings, data, cores, gpu, request.candidate),
            baseline_artifact=self._store.baseline_volume(stored.task.hash),
        )
        began = time.monotonic()
        candidate, attempts = Candidate(request.candidate), 0
        before = self._results.begun(request.key)
        if before is not None and (before.task, before.candidate) == (request.task, digest):
            candidate, attempts = replace(candidate, seed=before.seed), before.attempts
        report = Report(reason=f"the sandbox died {attempts} times during the trial")

        def begin() -> None:
            """Count an attempt when all is ready, and before any agent code runs."""
            begun = Begun(
                task=request.task, candidate=digest, seed=candidate.seed, attempts=attempts
            )
            self._results.begin(request.key, begun)

        while attempts < limits.ATTEMPTS:
            attempts += 1
            try:
                report = self._attempt(
                    plan,
                    candidate,
                    stored.files,
                    begin,
                    on_progress,
                    lambda: request.key in self._cancelled,
                    vault=request.vault,
                )
                break
            except (*OUR_FAULTS, Undead) as fault:
                report = Report(reason=str(fault)[: limits.REASON])
                log.warning("trial failed", trial_key=request.key, fault=str(fault))
                if isinstance(fault, Undead):
                    break  # it has taken the slot along, and must not take another one
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
            particulars=Particulars(
                run=request.run,
                settings=settings,
                accepted=request.accepted,
                data=data.hash,
                policy=policy_hash(plan),
                engine=self._host.version,
                sandbox=VERSION,
                secret=secrets.token_hex(32),
                transcript=report.transcript.digest(),
                transcript_nonce=report.transcript.nonce,
            )
            if request.run
            else None,
        )
        self._store_record(record, held_out, on_progress)
        return result

    def _store_record(self, record: Record, held_out: Scored | None, on: OnProgress) -> None:
        """Store what a trial came to; on a full disk wait for space, for it would be lost else."""
        told = False
        while True:
            try:
                self._results.add(record, held_out)
                return
            except NoSpace as fault:
                if not told:
                    told = True
                    log.warning("result not stored", trial_key=record.result.key, fault=str(fault))
                    on(Progress(stage=Stage.waiting, detail=str(fault)))
                deadline = time.monotonic() + limits.DISK
                while time.monotonic() < deadline:
                    self._check_cancelled(record.result.key)
                    time.sleep(_LOOK_SECONDS)

    def train_baseline(
        self, files: TaskFiles, settings: TaskSettings, data: Data, volume: str, on: OnProgress
    ) -> Report:
        """One trial of the task's own `train.py`, its artifact kept in `volume`.

        The caller holds the slot. Our own faults become an `error` report.
        """
        cores = self._quarantine.cores(settings.cpus)
        if cores is None or not self._gpus.available(settings.gpus):
            raise EngineUnavailable(
                f"The slot is in quarantine: {self._quarantine.why}.",
                "It is asked again and again; nothing else has to be done.",
            )
        with self._gpus.lease(settings.gpus) as gpu:
            plan = replace(
                self._plan(files, settings, data, cores, gpu, files.train),
                keep_artifact=volume,
                baseline_artifact=volume,
            )
            try:
                return self._attempt(
                    plan, Candidate(files.train), files, lambda: None, on, lambda: False
                )
            except (*OUR_FAULTS, Undead) as fault:
                return Report(reason=str(fault)[: limits.REASON])

    def _attempt(
        self,
        plan: Plan,
        candidate: Candidate,
        files: TaskFiles,
        begin: Callable[[], None],
        on_progress: OnProgress,
        cancelled: Callable[[], bool],
        *,
        vault: bool = False,
    ) -> Report:
        on_progress(Progress(stage=Stage.building))
        began = time.monotonic()
        containers = self.warm.take(plan)
        undead = False
        try:
            begin()
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
        except (EngineUnavailable, Undead) as fault:
            undead = isinstance(fault, Undead)
            if not self._host.engine.alive():
                raise EngineUnavailable(str(fault), START_ENGINE) from None
            if undead:
                raise
            raise OurFault(str(fault)) from None
        finally:
            self._put_away(containers, undead)

    def _put_away(self, containers: ContainerSet, undead: bool) -> None:
        """Remove a set; one in which agent code may be alive keeps its CPUs and GPU until then."""
        plan = containers.plan
        if undead:
            self._gpus.hold(plan.gpu)
            self._quarantine.admit(
                containers.close,
                f"a container of trial {containers.trial} does not die",
                cores_of(plan.cores),
                lambda: self._gpus.let_go(plan.gpu),
            )
        elif plan.keep_artifact:
            self.warm.close(containers)
        else:
            self.warm.retire(containers)
            if self._keep_warm:
                self.warm.renew(plan)

    def _plan(
        self,
        files: TaskFiles,
        settings: TaskSettings,
        data: Data,
        cores: frozenset[int],
        gpu: str,
        candidate: str,
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
            cores=notation(cores),
            engine_cpus=self._host.cpus,
            engine_memory_mib=self._host.memory_mib,
        )
