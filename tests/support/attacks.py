"""What the tests of attacks share: the attacks' texts, settings taken out, clocks and canaries."""

import re
import time
from typing import Any

import pytest

from controller.selftest import read_attacks
from sandbox.api import TrialResult
from sandbox.containers.container import RoleContainer
from sandbox.policy import Order, Role
from tests.support.candidates import Spec, Weaken
from tests.support.tasks import ROOT

ATTACKS = {attack.name: attack for attack in read_attacks()}
"""The catalogue, by name."""
ROOMS = ROOT / "tests" / "tasks" / "rooms"
HONEST_ROOMS = 2100 / 13
"""What an honest candidate pays on the task `rooms`; see its `prepare.py`."""


def attack(name: str, **constants: Any) -> str:
    """The text of `tests/attacks/<name>.py`, some of its constants replaced."""
    return ATTACKS[name].with_constants(constants)


def first_now(*values: Any) -> list[Any]:
    """Ways of one attack against one defence: `make test` tries the first, `make test-all` each."""
    return [values[0], *(pytest.param(value, marks=pytest.mark.slow) for value in values[1:])]


def gained(score: float | None) -> bool:
    """Whether a candidate that answers zeros on the tiny task got a score for something else.

    Zeros cost the mean of y², which is about 14; NaN is never honest.
    """
    return score is not None and not 5.0 < score < 50.0


def canaries(result: TrialResult) -> list[str]:
    """Every canary that came back in something a client of the sandbox can read."""
    return re.findall(r"canary-[0-9a-z-]+", f"{result.log}\n{result.reason}")


def number(result: TrialResult, name: str) -> int:
    """What the attack said in its line `<name>: <number>`; the attack must have come so far."""
    found = re.findall(rf"^{re.escape(name)}: (-?\d+)$", result.log, re.MULTILINE)
    assert found, f"the attack never said {name!r}: {result}"
    return int(found[-1])


def lines(result: TrialResult, name: str) -> list[str]:
    """What the attack said in its lines `<name>: …`."""
    return re.findall(rf"^{re.escape(name)}: (.*)$", result.log, re.MULTILINE)


def without(path: str, value: Any, *roles: Role) -> Weaken:
    """Set one setting of the policy to another value, in all roles or in these."""

    def change(spec: Spec, order: Order) -> None:
        if roles and order.role not in roles:
            return
        *parents, last = path.split(".")
        for parent in parents:
            spec = spec[parent]
        spec[last] = value

    return change


def one_uid(spec: Spec, order: Order) -> None:
    """Let the timer run as agent code does."""
    if order.role in (Role.trainer, Role.predictor):
        spec["User"] = f"{order.program_uid}:{order.program_uid}"


def unconfined(spec: Spec, order: Order) -> None:
    """Take the list of system calls away."""
    if order.role in (Role.trainer, Role.predictor):
        spec["HostConfig"]["SecurityOpt"] = ["no-new-privileges", "seccomp=unconfined"]


def without_limit(name: str) -> Weaken:
    """Take one of the ulimits away."""

    def change(spec: Spec, order: Order) -> None:
        if order.role is Role.trainer:
            kept = [limit for limit in spec["HostConfig"]["Ulimits"] if limit["Name"] != name]
            spec["HostConfig"]["Ulimits"] = kept

    return change


def mount_sealed(*roles: Role) -> Weaken:
    """Mount the held-out data where agent code runs."""

    def change(spec: Spec, order: Order) -> None:
        if order.role in roles:
            spec["HostConfig"]["Mounts"].append(
                {
                    "Type": "volume",
                    "Source": order.volumes.sealed,
                    "Target": "/data/sealed",
                    "ReadOnly": True,
                    "VolumeOptions": {"NoCopy": True},
                }
            )

    return change


LATE_TIMER = 'read -r -t 900 seconds && exec /bin/sleep "$((${seconds%.*} + 3))"'
"""The timer's command, but three seconds late."""

late_timer = without("Cmd", ["/bin/bash", "-c", LATE_TIMER], Role.trainer)


def late_kill(patch: pytest.MonkeyPatch, seconds: float = 2.5) -> None:
    """Let the sandbox kill trainers late, as if it hung."""
    kill = RoleContainer.kill

    def killed_late(container: RoleContainer) -> None:
        if container.order.role is Role.trainer:
            time.sleep(seconds)
        kill(container)

    patch.setattr(RoleContainer, "kill", killed_late)


class Deadline:
    """When the last trainer had to be dead, and how long it lived on."""

    def __init__(self, patch: pytest.MonkeyPatch, budget: float) -> None:
        self.released = self.deadline = 0.0
        release = RoleContainer.release

        def noted(container: RoleContainer, seconds: float, candidate: bytes) -> float:
            released = release(container, seconds, candidate)
            if container.order.role is Role.trainer:
                self.released, self.deadline = released, released + budget
            return released

        patch.setattr(RoleContainer, "release", noted)

    def overtime(self, result: TrialResult) -> float:
        """Seconds from the deadline to the last line `beat: <monotonic seconds>` of the log.

        gVisor has a clock of its own, which is behind: there the first beat stands for the release.
        """
        beats = [float(beat) for beat in lines(result, "beat")]
        assert beats, f"the attack's heart never beat: {result}"
        behind = max(0.0, self.released - min(beats))
        return max(beats) + behind - self.deadline
