"""The real sandbox: tasks, trials and comparisons behind `api.Sandbox`."""

from collections.abc import Sequence
from functools import partial

from sandbox import VERSION, limits
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
    TaskSettings,
    TrialRequest,
    TrialResult,
    no_progress,
    task_hash,
)
from sandbox.containers.gpus import Gpus
from sandbox.containers.host import Host
from sandbox.containers.probe import gpu_uuids
from sandbox.containers.quarantine import Quarantine, cores_of
from sandbox.containers.reaper import ReaperTimer, reap, remove_with_artifact, sweep
from sandbox.containers.sets import DataChanged
from sandbox.doctor import examine
from sandbox.errors import BadCandidate, BadTask, DataAltered, NoSpace
from sandbox.images.own import build_own_images
from sandbox.policy import AGENT_ROLES, LABEL
from sandbox.receipts.chains import Receipts
from sandbox.tasks.candidate import check_candidate
from sandbox.tasks.fingerprint import fingerprint
from sandbox.tasks.preparation import hash_data, make_data
from sandbox.tasks.settings import parse_program
from sandbox.tasks.store import Data, StoredTask, TaskStore, data_name
from sandbox.tasks.survey import survey
from sandbox.trials.results import Results, check_key
from sandbox.trials.trials import Trials


class Service:
    """Implements `api.Sandbox` with an engine; thread-safe. One trial runs at a time."""

    def __init__(self, host: Host, *, keep_warm: bool = True) -> None:
        """Take over the instance: whatever an earlier process left is reaped first."""
        self._host = host
        self._store = TaskStore(host.config.home, host.instance)
        self._results = Results(host.config.home / "trials")
        self._receipts = Receipts(host.config.home / "receipts")
        self._quarantine = Quarantine(host.cpus)
        _, left = sweep(host.engine, host.instance)
        for container in left:
            spec = host.engine.inspect(container)
            labels = spec["Config"]["Labels"]
            agent = labels[LABEL + "role"] in AGENT_ROLES
            self._quarantine.admit(
                partial(remove_with_artifact, host.engine, container, labels),
                f"container {container[:12]} of an earlier process does not die",
                cores_of(spec["HostConfig"]["CpusetCpus"]) if agent else frozenset(),
            )
        self._gpus = Gpus(gpu_uuids(host))
        self.trials = Trials(
            host, self._store, self._results, self._gpus, self._quarantine, keep_warm=keep_warm
        )
        self._reaper = ReaperTimer(
            lambda: reap(host.engine, host.instance, overdue_only=True, uids=host.uids)
        )

    def close(self) -> None:
        """Cancel what runs, and leave no container or artifact behind."""
        self.trials.cancel_all()
        with self.trials.slot:
            self._reaper.stop()
            self.trials.warm.stop()
            self._quarantine.stop()
            reap(self._host.engine, self._host.instance)

    def info(self) -> Info:
        """See `api.Sandbox`."""
        config = self._host.config
        tags = (config.agent_image, config.scorer_image)
        return Info(
            version=VERSION,
            instance=self._host.instance,
            engine=self._host.version,
            runtime=config.runtime or "default",
            cpus=self._host.cpus,
            memory_bytes=self._host.memory_bytes,
            gpus=self._gpus.uuids,
            images={tag: self._host.engine.image(tag).id for tag in tags},
            public_key=self._receipts.public_key,
        )

    # ---- tasks -----------------------------------------------------------------------------

    def prepare(self, files: TaskFiles, on_progress: OnProgress = no_progress) -> Task:
        """See `api.Sandbox`."""
        settings, _ = parse_program(files.program)
        try:
            check_candidate(files.train)
        except BadCandidate as fault:
            raise BadTask(f"train.py: {fault.message}", fault.next_step) from None
        self._host.check_size(settings)
        self._gpus.check(settings.gpus)
        self._check_disk()
        with self.trials.slot:
            build_own_images(self._host.engine, self._host.config, files, settings, on_progress)
            _, scorer = self._host.images(settings)
            name = data_name(files)
            data = self._store.data(name)
            if data is None or self._missing_volumes(name):
                on_progress(Progress(stage=Stage.preparing, seconds=limits.PREPARE))
                self.trials.warm.drop()
                data = self._make_data(files, data, scorer.id)
            stored = self._store.find(task_hash(files))
            volume = self._store.baseline_volume(task_hash(files))
            if stored is None or not self._host.engine.has_volume(volume):
                self._train_baseline(files, settings, data, volume, on_progress)
        return self._store.keep(files, settings, data)

    def _make_data(self, files: TaskFiles, before: Data | None, image: str) -> Data:
        """Make data, or make it again where its volumes are gone: then it must be the same."""
        data = make_data(self._host, self._store, files, image)
        if before is not None and data.files != before.files:
            raise DataAltered(
                f"The data of task {files.name} was gone, and `prepare` made other data this time.",
                f"Run `sealed task forget {task_hash(files)[:12]}` and prepare it again; "
                "scores from before can't be compared with new ones.",
            )
        self._store.keep_data(data_name(files), data)
        return data

    def _train_baseline(
        self, files: TaskFiles, settings: TaskSettings, data: Data, volume: str, on: OnProgress
    ) -> None:
        self._host.engine.remove_volume(volume)
        report = self.trials.train_baseline(files, settings, data, volume, on)
        if report.outcome is not Outcome.scored:
            self._host.engine.remove_volume(volume)
            raise BadTask(
                f"The task's own train.py ends `{report.outcome}`: {report.reason}",
                f"Mend the task, then prepare it again.\n{report.log}".strip(),
            )

    def tasks(self) -> list[Task]:
        """See `api.Sandbox`."""
        return self._store.all()

    def verify(self, task: str, on_progress: OnProgress = no_progress) -> Task:
        """See `api.Sandbox`."""
        stored = self._store.get(task)
        self._check_volumes(stored)
        _, scorer = self._host.images(stored.task.settings)
        on_progress(Progress(stage=Stage.hashing))
        found = hash_data(self._host, self._store.volumes(stored.data), scorer.id)
        wanted = self._store.data(stored.data)
        before = {} if wanted is None else {name: digest for name, _, digest in wanted.files}
        after = {name: digest for name, _, digest in found.files}
        changed = sorted(n for n in before | after if before.get(n) != after.get(n))
        if changed or wanted is None or found.quick != wanted.quick:
            raise _altered(stored, changed or ["times of change"])
        return stored.task

    def survey(self, task: str) -> list[Check]:
        """See `api.Sandbox`."""
        stored = self._store.get(task)
        self._check_volumes(stored)
        settings = stored.task.settings
        agent, scorer = self._host.images(settings)
        volumes = self._store.volumes(stored.data)
        with self.trials.slot:
            return survey(self._host, volumes, scorer.id, agent.id, settings.image)

    def forget(self, task: str) -> None:
        """See `api.Sandbox`."""
        with self.trials.slot:
            self.trials.warm.drop()
            data, shared = self._store.data_of(task)
            # The task is last: what an engine does not remove now, the same call removes later.
            self._host.engine.remove_volume(self._store.baseline_volume(task))
            if not shared:
                for name in self._store.volumes(data).of_data():
                    self._host.engine.remove_volume(name)
                self._store.forget_data(data)
            self._store.forget(task)

    def _check_volumes(self, stored: StoredTask) -> None:
        missing = self._missing_volumes(stored.data)
        if missing or self._store.data(stored.data) is None:
            raise _altered(stored, missing or ["its manifest is missing"])

    def _missing_volumes(self, data: str) -> list[str]:
        names = self._store.volumes(data).of_data()
        return [name for name in names if not self._host.engine.has_volume(name)]

    def _check_disk(self) -> None:
        free = self._store.free_bytes()
        if free < limits.FREE_DISK_BYTES:
            raise NoSpace(
                f"Only {free // 2**20} MiB are free where the sandbox keeps its state.",
                f"Free at least {limits.FREE_DISK_BYTES // 2**20} MiB, or set SEALED_HOME.",
            )

    # ---- trials ----------------------------------------------------------------------------

    def run(self, request: TrialRequest, on_progress: OnProgress = no_progress) -> TrialResult:
        """See `api.Sandbox`."""
        stored = self._store.get(request.task)
        self._check_disk()
        self._check_volumes(stored)
        check_key(request.run or request.key)
        try:
            result = self.trials.run(request, stored, on_progress)
        except DataChanged:
            raise _altered(stored, ["sizes or times of its files differ"]) from None
        self._receipts.add_trial(self._results.get(request.key))
        return result

    def result(self, key: str) -> TrialResult:
        """See `api.Sandbox`."""
        return self._results.get(key).result

    def cancel(self, key: str) -> None:
        """See `api.Sandbox`."""
        self.trials.cancel(key)

    def compare(self, first: Sequence[str], second: Sequence[str], run: str = "") -> Comparison:
        """See `api.Sandbox`."""
        return self._receipts.compare(run, first, second, self._results.compare)

    def receipts(self, run: str, after: int) -> Chain:
        """See `api.Sandbox`."""
        return self._receipts.after(run, after)

    def close_run(self, run: str, kept: Sequence[str]) -> None:
        """See `api.Sandbox`."""
        self._receipts.close(run, self._results.get, kept)

    def fingerprint(self, candidate: str) -> str:
        """See `api.Sandbox`."""
        check_candidate(candidate)
        with self.trials.slot:
            return fingerprint(self._host, candidate)

    # ---- the house -------------------------------------------------------------------------

    def doctor(self) -> list[Check]:
        """See `api.Sandbox`."""
        with self.trials.slot:
            return [*examine(self._host), self._receipts.check()]

    def reap(self) -> Reaped:
        """See `api.Sandbox`."""
        with self.trials.slot:
            self.trials.warm.drop()
            return reap(self._host.engine, self._host.instance)


def _altered(stored: StoredTask, what: Sequence[str]) -> DataAltered:
    return DataAltered(
        f"The data of task {stored.task.name} is not what `prepare` wrote: {', '.join(what[:5])}.",
        f"Run `sealed task forget {stored.task.hash[:12]}`, then `sealed task prepare`; "
        "scores from before can't be compared with new ones.",
    )
