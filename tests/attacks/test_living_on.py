"""Living on: what survives from one trial to the next is nothing."""

import pytest

from sandbox import doctor
from sandbox.api import Outcome, Task
from sandbox.containers.host import Host
from sandbox.policy import Order, Role
from tests.support.attacks import attack, canaries, gained, lines
from tests.support.candidates import Bench, Spec
from tests.support.flips import without_defence
from tests.support.naive_loop import NaiveLoop
from tests.support.tasks import TINY

pytestmark = [pytest.mark.docker, pytest.mark.attack]


@pytest.mark.claim("trials-leave-nothing")
def test_a_trial_finds_nothing_of_an_earlier_one(bench: Bench) -> None:
    """Notes in files, shared memory and keyrings end with the trial that left them."""
    first = bench.run(attack("leftovers"))
    (left,) = lines(first, "left")
    assert {"/tmp", "/dev/shm", "/cache", "/artifact"} <= set(left.split())
    second = bench.run(attack("leftovers", NOTE="canary-second"))
    assert lines(second, "found") == [""]


def test_control_shared_memory_of_others_keeps_the_note(bench: Bench, host: Host) -> None:
    """With the shared memory of a container that lives on, the second trial finds the note."""
    donor = ""

    def shared(spec: Spec, order: Order) -> None:
        if order.role is Role.probe:
            spec["HostConfig"]["IpcMode"] = "shareable"
        if order.role is Role.trainer:
            spec["HostConfig"]["IpcMode"] = f"container:{donor}"

    bench.weaken(shared)
    with doctor.idle(host) as container:
        donor = container.id
        bench.run(attack("leftovers"))
        assert "canary-first" in canaries(bench.run(attack("leftovers", NOTE="canary-second")))


@pytest.mark.claim("trials-leave-nothing")
def test_shadow_modules_are_not_imported(bench: Bench) -> None:
    """Modules, .pth and .pyc files left everywhere shadow nothing, neither now nor later."""
    result = bench.run(attack("shadow_modules"))
    assert result.outcome is Outcome.scored
    assert not gained(result.score)
    honest = bench.run((TINY / "train.py").read_text())
    assert honest.outcome is Outcome.scored
    assert honest.score is not None
    assert honest.score > 1


def test_control_shadows_score_the_next_in_a_naive_loop(naive: NaiveLoop) -> None:
    """There, the candidate that comes next is scored by the shadow."""
    assert naive.gain("shadow_modules").startswith("score -1000,")


@pytest.mark.claim("trials-leave-nothing")
def test_data_and_image_cannot_be_written(bench: Bench, rooms: Task) -> None:
    """A candidate can't change the data set, the task's folder or the image."""
    assert lines(bench.run(attack("write_dataset"), rooms), "written") == [""]


def test_control_as_root_with_writable_mounts_they_are(bench: Bench, rooms: Task) -> None:
    """As root, with writable mounts, it can."""

    without_defence(bench, "write_dataset")
    (written,) = lines(bench.run(attack("write_dataset"), rooms), "written")
    assert {"/data/public", "/task", "/opt/sealed/lib"} <= set(written.split())
