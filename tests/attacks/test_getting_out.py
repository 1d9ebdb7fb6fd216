"""Getting out: no privilege, no namespace, no device, no socket of the engine."""

import platform

import pytest

from sandbox.api import Task
from tests.support.attacks import attack, lines, number, unconfined
from tests.support.candidates import Bench
from tests.support.flips import without_defence

pytestmark = [pytest.mark.docker, pytest.mark.attack]

BEHIND_NOTHING = {"mknod", "nice"}
"""Doors of gVisor's own kernel: such a node can't be opened, and it schedules by no priority."""


@pytest.mark.claim("no-privileges")
def test_no_door_opens(bench: Bench, unhurried: Task, runtime: str) -> None:
    """No user, namespace, tracing, kernel interface, device or socket leads out."""
    result = bench.run(attack("getting_out"), unhurried)
    assert number(result, "tried") > 30
    (opened,) = lines(result, "opened")
    assert set(opened.split()) - (BEHIND_NOTHING if runtime == "runsc" else set()) == set()


def test_control_without_the_list_of_calls_doors_open(bench: Bench, unhurried: Task) -> None:
    """Without the seccomp list a number of kernel interfaces answer, some of them slowly."""
    bench.weaken(unconfined)
    (opened,) = lines(bench.run(attack("getting_out"), unhurried), "opened")
    assert {"ptrace", "inotify", "keyring", "netlink", "shared_memory"} <= set(opened.split())


def test_control_root_with_capabilities_opens_others(bench: Bench) -> None:
    """With root and the engine's usual capabilities, chroot, chown and device nodes work."""

    without_defence(bench, "getting_out")
    (opened,) = lines(bench.run(attack("getting_out")), "opened")
    assert {"chroot", "chown", "mknod", "raw", "setgroups"} <= set(opened.split())


x86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="only x86 has that door")


@x86
@pytest.mark.claim("no-privileges")
def test_the_32_bit_door_is_shut(bench: Bench) -> None:
    """Who calls the kernel by the 32-bit ABI is killed."""
    assert number(bench.run(attack("old_abi")), "signal") == 31


@x86
def test_control_without_the_list_the_32_bit_door_answers(bench: Bench) -> None:
    """Without the seccomp list the call is answered, where the kernel has that door."""
    bench.weaken(unconfined)
    result = bench.run(attack("old_abi"))
    if number(result, "signal") == 11:
        pytest.skip("this kernel has no 32-bit calls")
    assert number(result, "status") == 0
