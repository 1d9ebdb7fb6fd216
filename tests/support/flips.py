"""Every defence that an attack names, and how it is taken out: the one list of control arms.

A defence is a setting of the policy, by its name in `sandbox.policy.WHY`, or a rule, by a name that
stands here. Taking one out is possible from tests alone; it lasts as long as the `MonkeyPatch`.
"""

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pytest
from msgspec.structs import replace

from sandbox import limits, log_reader, policy
from sandbox.api import SCORER_IMAGE, TaskFiles
from sandbox.containers.container import RoleContainer
from sandbox.containers.sets import ContainerSet
from sandbox.containers.streams import Frame
from sandbox.policy import Order, Role, exec_spec
from sandbox.service import Service
from sandbox.trials import trial
from sandbox.trials.relay import Budgets, Relay
from sealed_task import frames
from tests.support.attacks import (
    ATTACKS,
    late_kill,
    late_timer,
    mount_sealed,
    one_uid,
    unconfined,
    without,
)
from tests.support.candidates import Bench, Spec, Weaken, weaken

AGENTS = (Role.trainer, Role.predictor)
Flip = Callable[[pytest.MonkeyPatch, Service], None]
"""Takes a rule out of the sandbox."""


# ---- settings of the policy -------------------------------------------------------------------


def _mounts(spec: Spec, order: Order) -> None:
    """Everything is writable, and the held-out data is there too."""
    if order.role in AGENTS:
        for mount in spec["HostConfig"]["Mounts"]:
            mount["ReadOnly"] = False
        mount_sealed(*AGENTS)(spec, order)


def _no_ulimits(spec: Spec, order: Order) -> None:
    if order.role is Role.trainer:
        # An engine without CAP_SYS_RESOURCE can't give more than it has, and it has some megabytes
        # to lock. What is not named is as the engine has it.
        high = {"core": -1, "fsize": -1, "memlock": 1 << 20}
        spec["HostConfig"]["Ulimits"] = [
            {"Name": name, "Soft": limit, "Hard": limit} for name, limit in high.items()
        ]


SETTINGS: dict[str, Weaken] = {
    "Cmd": late_timer,
    "User": one_uid,
    "HostConfig.NetworkMode": without("HostConfig.NetworkMode", "host", Role.trainer),
    "HostConfig.Init": without("HostConfig.Init", False, Role.trainer),
    "HostConfig.CapDrop": without("HostConfig.CapDrop", [], Role.trainer),
    "HostConfig.SecurityOpt": unconfined,
    "HostConfig.ReadonlyRootfs": without("HostConfig.ReadonlyRootfs", False, Role.trainer),
    "HostConfig.Tmpfs": without(
        "HostConfig.Tmpfs", {"/tmp": "rw,mode=1777", "/cache": "rw,mode=1777"}, Role.trainer
    ),
    "HostConfig.Mounts": _mounts,
    "HostConfig.CgroupnsMode": without("HostConfig.CgroupnsMode", "host", Role.trainer),
    "HostConfig.ShmSize": without("HostConfig.ShmSize", 1 << 30, Role.trainer),
    "HostConfig.Memory": without("HostConfig.Memory", 0, Role.trainer),
    "HostConfig.MemorySwap": without("HostConfig.MemorySwap", 0, Role.trainer),
    "HostConfig.PidsLimit": without("HostConfig.PidsLimit", 0, Role.trainer),
    "HostConfig.NanoCpus": without("HostConfig.NanoCpus", 0, Role.trainer),
    "HostConfig.CpusetCpus": without("HostConfig.CpusetCpus", "", Role.trainer),
    "HostConfig.Ulimits": _no_ulimits,
}
"""Settings that control arms of attacks take out; `test_policy_settings.py` has the doctor's."""


# ---- rules ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rule:
    """What holds, and how it is taken out; None: the attack's loop or rehearsal lacks it."""

    holds: str
    flip: Flip | None = None


def _agent_image(patch: pytest.MonkeyPatch, service: Service) -> None:
    weaken(patch, without("Image", service.info().images[SCORER_IMAGE], Role.trainer))


def _unbounded_values(patch: pytest.MonkeyPatch, _: Service) -> None:
    patch.setattr(limits, "VALUE", 1.7e308)


def _frames_of_anyone(patch: pytest.MonkeyPatch, _: Service) -> None:
    start = RoleContainer.start

    def start_gullible(self: RoleContainer, modules: tuple[str, ...] = (), most: int = 0) -> None:
        start(self, modules, limits.SCORE)

    def watch(self: trial._Trial, deadline: float) -> bool:
        frame: Frame | None
        while frame := self.containers.trainer.wait_frame(deadline):
            if frame.kind == frames.Kind.SCORE:
                self.report.held_out = trial._scored(bytes(frame.payload))
                return True
        return False

    patch.setattr(RoleContainer, "start", start_gullible)
    patch.setattr(trial._Trial, "_watch", watch)
    patch.setattr(trial._Trial, "score", lambda *_: None)


def _known_nonce(patch: pytest.MonkeyPatch, _: Service) -> None:
    patch.setattr("sandbox.trials.relay.secrets.randbits", lambda _: 7)


def _lengths_believed(patch: pytest.MonkeyPatch, _: Service) -> None:
    def unbounded(header: bytes, _: int) -> tuple[int, int, int]:
        _, kind, _, length, nonce = frames.HEADER.unpack(header)
        return kind, length, nonce

    patch.setattr(frames, "unpack_header", unbounded)


def _probe_fails(patch: pytest.MonkeyPatch, service: Service) -> None:
    patch.setattr(service._host.engine, "alive", lambda: False)


def _unclean_log(patch: pytest.MonkeyPatch, _: Service) -> None:
    patch.setattr(log_reader, "clean", lambda data: data.decode(errors="replace") if data else "")


def _reason_as_it_is(patch: pytest.MonkeyPatch, _: Service) -> None:
    patch.setattr(trial, "one_line", lambda text: text)


def _no_flood(patch: pytest.MonkeyPatch, _: Service) -> None:
    patch.setattr(limits, "LOG_FLOOD", 1 << 40)


def _talkative_scoring(patch: pytest.MonkeyPatch, _: Service) -> None:
    def talkative(self: trial._Trial, split: str) -> None:
        relay = self._relay()
        try:
            self._ask(relay, split)
        finally:
            assert relay.current is not None
            self.report.log += relay.current.log.text()

    patch.setattr(trial._Trial, "score", talkative)


def _longer_load(patch: pytest.MonkeyPatch, _: Service) -> None:
    patch.setattr("sandbox.trials.trial.Budgets", lambda load, scoring: Budgets(load + 5, scoring))
    patch.setattr(trial._Trial, "score", lambda *_: None)  # the rehearsal is enough


def _unfrozen(patch: pytest.MonkeyPatch, _: Service) -> None:
    for act in ("freeze", "thaw"):
        patch.setattr(RoleContainer, act, lambda container: None)


def _late_kill(patch: pytest.MonkeyPatch, _: Service) -> None:
    late_kill(patch)


def _first_frame_ends(patch: pytest.MonkeyPatch, _: Service) -> None:
    def first_frame(self: trial._Trial, deadline: float) -> int:
        self.containers.trainer.wait_frame(deadline)
        return 0

    patch.setattr(trial._Trial, "_watch", first_frame)
    late_kill(patch, 0.9)


def _patient_relay(patch: pytest.MonkeyPatch, _: Service) -> None:
    patch.setattr(Relay, "_patience", lambda _: 0.05)
    patch.setattr(trial._Trial, "score", lambda *_: None)  # the rehearsal is enough


def _holes_unseen(patch: pytest.MonkeyPatch, _: Service) -> None:
    patch.setattr(trial._Trial, "_check_artifact", lambda _: None)


def left_alive(patch: pytest.MonkeyPatch, _: Service) -> None:
    """A predictor that is closed lives on until its set is removed."""

    def forgotten(self: Relay, number: int) -> None:
        predictor = self._predictors.pop(number, None)
        if predictor is not None:
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(predictor.stream)

    patch.setattr(Relay, "_end", forgotten)


def _boundless_artifact(patch: pytest.MonkeyPatch, _: Service) -> None:
    def boundless(_: int, program_uid: int) -> dict[str, str]:
        return {"type": "tmpfs", "device": "tmpfs", "o": f"uid={program_uid},mode=0755"}

    patch.setattr("sandbox.containers.sets.artifact_options", boundless)


def _sets_stay(patch: pytest.MonkeyPatch, _: Service) -> None:
    patch.setattr(ContainerSet, "close", lambda _: None)


def _as_root(patch: pytest.MonkeyPatch, _: Service) -> None:
    def as_root(order: Order, modules: tuple[str, ...] = ()) -> Spec:
        return exec_spec(order, modules) | {"User": "0:0"}

    own = policy._user

    def root_trains(order: Order) -> str:
        return "0:0" if order.role is Role.trainer else own(order)

    patch.setattr("sandbox.containers.container.exec_spec", as_root)
    # The engine gives an exec no more capabilities than the container was made with.
    patch.setattr(policy, "_user", root_trains)


def _looks_at_one(files: TaskFiles) -> TaskFiles:
    check = (
        "\n\ndef check(answer, right):\n    if answer[0] != right[0]:\n"
        '        raise Invalid("the first distance is wrong")\n'
    )
    return replace(files, prepare=files.prepare + check)


RULES: dict[str, Rule] = {
    "Image": Rule("the agent image has no labels", _agent_image),
    "scorer-apart": Rule("`score` runs where no agent code ever is"),
    "answers-are-bytes": Rule("an answer travels as bare bytes of a type that the scorer fixed"),
    "answers-are-checked": Rule("type, shape and range of an answer are the scorer's"),
    "finite-values": Rule("a value is so bounded that a mean is finite", _unbounded_values),
    "frames-by-stream": Rule("a frame counts by the stream it comes on", _frames_of_anyone),
    "nonce": Rule("an answer repeats its question's 64 random bits", _known_nonce),
    "receivers-bound": Rule("a length is held against the receiver's bound", _lengths_believed),
    "two-rooms": Rule("tokens are priced by a predictor that was not shown them"),
    "losses-need-a-probe": Rule("a loss is ours only if a trusted probe fails", _probe_fails),
    "every-answer-compared": Rule("every number of an answer is compared"),
    "clean-log": Rule("a log has no escapes, control or bidi characters", _unclean_log),
    "one-line-reason": Rule("a reason is one line", _reason_as_it_is),
    "flood-bound": Rule("a candidate that writes too much is ended", _no_flood),
    "silent-scoring": Rule("of the sealed scoring only the outcome is told", _talkative_scoring),
    "asked-step-by-step": Rule("the next question does not exist before the answer"),
    "secret-salt": Rule("every split is drawn from a salt that no agent code sees"),
    "load-deadline": Rule("`load` has a small deadline of its own", _longer_load),
    "clock-of-the-sandbox": Rule("the budget is kept by a clock outside", _late_kill),
    "seconds-to-the-end": Rule("seconds are counted until the program's end", _first_frame_ends),
    "answer-budget": Rule("all answers of a scoring have one budget", _patient_relay),
    "frozen-while-timed": Rule("all other predictors are frozen while one is timed", _unfrozen),
    "fresh-questions": Rule("every question is fresh, and asked once"),
    "dead-before-the-next": Rule("a container's death is confirmed before the next begins"),
    "no-holes": Rule("an artifact with holes is refused", _holes_unseen),
    "one-at-a-time": Rule("one predictor of a candidate is alive at a time", left_alive),
    "artifact-quota": Rule("the artifact's tmpfs has a size and inodes", _boundless_artifact),
    "sets-are-removed": Rule("the containers of a trial are removed, whatever", _sets_stay),
    "unprivileged-uid": Rule("agent code is nobody, and files belong to root", _as_root),
    "another-kernel": Rule("a runtime with a kernel of its own; under runc there is no defence"),
    "no-day-twice": Rule("splits are disjoint in time, and a day has no number"),
    "no-later-day": Rule("a question has nothing of a later day"),
    "costs-are-paid": Rule("each change of a position is paid for"),
    "log-of-one-offer": Rule("the trainer's log has the one offer that was shown"),
    "shuffled-questions": Rule("who is asked together has nothing in common"),
    "forgotten-visits": Rule("half of the earlier visits are forgotten, as a secret salt says"),
    "chances-sum-to-one": Rule("chances are checked, and divided by their sum"),
    "prompt-is-no-template": Rule("a prompt is put before a text as it is"),
    "belief-is-shared": Rule("one bit of belief is shared between the labels"),
}
"""Rules by name. Those without a flip are taken out where the attack's `control` says."""


TASK_RULES: dict[str, Callable[[TaskFiles], TaskFiles]] = {"every-answer-compared": _looks_at_one}
"""Rules that are a scorer's: what becomes of the task without them."""


def flip(defences: Iterable[str], patch: pytest.MonkeyPatch, service: Service) -> None:
    """Take these out, all at once."""
    changes = [SETTINGS[name] for name in defences if name in SETTINGS]

    def change(spec: Spec, order: Order) -> None:
        for one in changes:
            one(spec, order)

    if changes:
        weaken(patch, change)
    for name in defences:
        if (rule := RULES.get(name)) and rule.flip:
            rule.flip(patch, service)


def without_defence(bench: Bench, name: str) -> None:
    """From here to the end of the test, what the attack names as its defence is not there."""
    flip(ATTACKS[name].header.defences, bench.patch, bench.service)


def changed(defences: Iterable[str], files: TaskFiles) -> TaskFiles:
    """The task without those of these rules that are its scorer's."""
    for name in defences:
        files = TASK_RULES[name](files) if name in TASK_RULES else files
    return files
