"""The containers of one trial, started together and waiting: no agent code is in them yet.

A set can be built before its candidate is known, for it depends on the task alone. Extra
predictors, for scorers that open more than one, are made when they are asked for.
"""

import hashlib
import json
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from sandbox import limits
from sandbox.api import TaskSettings
from sandbox.containers.container import RoleContainer, StartFailed, Undead, dispose
from sandbox.containers.uids import UidPairs
from sandbox.engine import Engine
from sandbox.errors import SandboxError
from sandbox.policy import LABEL, Order, Role, Volumes, artifact_options, exec_spec, role_spec


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All that a set depends on; sets of equal plans can stand in for each other."""

    instance: str
    settings: TaskSettings
    agent_image: str
    scorer_image: str
    volumes: Volumes
    """Of the task: public, sealed and task; the artifact's comes with the set."""
    data_digest: str
    """What the scorer's quick look at the data must find."""
    modules: tuple[str, ...]
    runtime: str
    gpu: str
    cores: str
    """Of trainer and predictors, in the kernel's notation."""
    engine_cpus: int
    engine_memory_mib: int
    keep_artifact: str = ""
    """Name of a volume that outlives the set: for the baseline."""
    baseline_artifact: str = ""
    """Where the baseline's artifact lies, for scorers that open the baseline."""
    baseline_modules: tuple[str, ...] = ()
    """What the baseline imports: what a candidate imports must not slow it."""


class DataChanged(Exception):
    """The scorer found other data than `prepare` wrote."""


class ContainerSet:
    """Holder, trainer, scorer and two predictors of one trial."""

    def __init__(self, engine: Engine, plan: Plan, uids: UidPairs) -> None:
        self.trial = secrets.token_hex(8)
        self.plan = plan
        self.artifact = plan.keep_artifact or f"sealed-{plan.instance}-artifact-{self.trial}"
        self._engine = engine
        self._uids = uids
        self._containers: list[RoleContainer] = []

    def start(self) -> None:
        """Build and start all of it; a few hundred milliseconds on two cores.

        Raises `StartFailed`, `DataChanged` and `SandboxError`; what is there then, `close` removes.
        """
        trainer = self._order(Role.trainer)
        if self.plan.keep_artifact:
            options = {}
        else:
            options = artifact_options(self.plan.settings.artifact_mib, trainer.program_uid)
        labels = {
            LABEL + "instance": self.plan.instance,
            LABEL + "role": "baseline" if self.plan.keep_artifact else "artifact",
            LABEL + "trial": self.trial,
            LABEL + "deadline": str(trainer.deadline),
        }
        try:
            self._engine.create_volume(self.artifact, labels, options)
        except BaseException:
            self._uids.release(trainer.timer_uid)
            raise
        self._start_all(trainer)

    def _start_all(self, trainer: Order) -> None:
        orders = [
            trainer,
            self._order(Role.scorer),
            self._order(Role.predictor),
            self._order(Role.predictor),
            self._order(Role.holder),
        ]
        orders = [
            replace(order, volumes=self._with_artifact(order.volumes, order.role))
            for order in orders
        ]
        with ThreadPoolExecutor(len(orders), thread_name_prefix="start") as pool:
            waits = [pool.submit(self._start, order, self.plan.modules) for order in orders]
        faults = [fault for wait in waits if (fault := wait.exception())]
        for fault in sorted(faults, key=lambda fault: not isinstance(fault, SandboxError)):
            raise fault
        self.trainer, self.scorer, first, second, self.holder = (w.result() for w in waits)
        self._predictors = [first, second]

    def _start(self, order: Order, modules: tuple[str, ...]) -> RoleContainer:
        container = RoleContainer(self._engine, order, self._uids)
        self._containers.append(container)
        container.start(modules, most=limits.QUESTION if order.role is Role.scorer else 0)
        if order.role is Role.holder:
            return container
        payload = container.ready()
        if order.role is Role.scorer and payload.decode() != self.plan.data_digest:
            raise DataChanged
        return container

    def _order(self, role: Role, baseline: bool = False) -> Order:
        volumes = self.plan.volumes
        if baseline:
            volumes = replace(volumes, artifact=self.plan.baseline_artifact)
        return _order(self.plan, role, self.trial, self._uids.lease(), volumes)

    def predictor(self, baseline: bool) -> RoleContainer:
        """A fresh predictor that waits: one of the two, or one made now."""
        if not baseline and self._predictors:
            return self._predictors.pop(0)
        order = self._order(Role.predictor, baseline)
        if not baseline:
            order = replace(order, volumes=self._with_artifact(order.volumes, order.role))
        return self._start(order, self.plan.baseline_modules if baseline else self.plan.modules)

    def _with_artifact(self, volumes: Volumes, role: Role) -> Volumes:
        kept = bool(self.plan.keep_artifact) and role is Role.trainer
        return replace(volumes, artifact=self.artifact, artifact_kept=kept)

    def unfit_entries(self) -> int:
        """How many files have holes, or folders can't be listed, as the holder counts them.

        Raises `StartFailed` if the holder does not answer.
        """
        self.holder.stream.send_raw(b"\n")
        words = self.holder.wait_log(time.monotonic() + limits.HOLDER).split()
        if len(words) < 2 or words[-2] != "refused":
            raise StartFailed("the holder does not answer")
        return int(words[-1])

    def waiting(self) -> bool:
        """Whether every container is still alive: an unarmed set ends itself after a while."""
        return all(container.alive() for container in self._containers)

    def close(self) -> None:
        """Remove every container, and the artifact's volume unless it is to be kept.

        Raises `Undead` if any of it is left; it may be called again then.
        """
        left = [container for container in self._containers if not container.removed]
        with ThreadPoolExecutor(4, thread_name_prefix="stop") as pool:
            for container in left:
                pool.submit(dispose, [container])
        if left := [container for container in left if not container.removed]:
            raise Undead(f"{len(left)} containers can't be removed, {left[0].id[:12]} the first")
        if not self.plan.keep_artifact:
            try:
                self._engine.remove_volume(self.artifact)
            except SandboxError as fault:
                raise Undead(f"the artifact's volume can't be removed: {fault}") from None


def _order(plan: Plan, role: Role, trial: str, uids: tuple[int, int], volumes: Volumes) -> Order:
    settings = plan.settings
    agent = role in (Role.trainer, Role.predictor)
    life = limits.UNARMED + settings.budget_seconds + settings.load_seconds
    life += settings.scoring_seconds + limits.SCORER_OWN
    cpus = settings.cpus if agent else float(plan.engine_cpus)
    memory = settings.memory_mib if agent else limits.SCORER_MEMORY_MIB
    return Order(
        role=role,
        image=plan.agent_image if agent else plan.scorer_image,
        instance=plan.instance,
        trial=trial,
        deadline=int(time.time() + life * 2),
        timer_uid=uids[0],
        program_uid=uids[1],
        memory_mib=min(memory, plan.engine_memory_mib),
        cpus=cpus,
        cpuset=plan.cores if agent else cpuset(cpus, plan.engine_cpus),
        artifact_mib=settings.artifact_mib,
        volumes=volumes,
        runtime=plan.runtime,
        gpu=plan.gpu if agent else "",
    )


def policy_hash(plan: Plan) -> str:
    """SHA-256 of what the containers of a plan are started with: `create` and `exec`, by role.

    Left out is what names this trial, this machine or this candidate: instance, images (they have
    a place of their own in a receipt), uids, volumes' names, cores, the GPU's UUID, warm modules.
    """
    started = {}
    for role in (Role.trainer, Role.predictor, Role.scorer, Role.holder):
        names = Volumes(public="public", sealed="sealed", task="task", artifact="artifact")
        order = replace(
            _order(plan, role, "", (0, 0), names),
            image="",
            instance="",
            deadline=0,
            cpuset="",
            gpu="gpu" if plan.gpu else "",
        )
        started[str(role)] = [role_spec(order), exec_spec(order)]
    return hashlib.sha256(json.dumps(started, sort_keys=True).encode()).hexdigest()


def cpuset(cpus: float, available: int) -> str:
    """The highest cores, as many as `cpus` needs, in the kernel's notation."""
    count = max(1, min(available, int(-(-cpus // 1))))
    lowest = available - count
    return f"{lowest}-{available - 1}" if count > 1 else str(lowest)
