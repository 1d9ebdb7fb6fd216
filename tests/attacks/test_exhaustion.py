"""Exhaustion: what a candidate takes ends at a limit, and is given back when it ends."""

import os
import platform
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox import limits
from sandbox.api import Outcome, Task
from sandbox.containers.host import Host
from sandbox.containers.reaper import reap
from sandbox.containers.sets import ContainerSet
from sandbox.policy import MIB, Order, Role
from tests.support.attacks import attack, first_now, number, without_limit
from tests.support.candidates import Bench, Spec
from tests.support.flips import without_defence

pytestmark = [pytest.mark.docker, pytest.mark.attack]


# ---- processes and descriptors -----------------------------------------------------------------


@pytest.mark.claim("limits-hold")
def test_a_fork_bomb_ends_at_the_limit(bench: Bench, rooms: Task, runtime: str) -> None:
    """No more processes and threads than the limit are started."""
    if runtime == "runsc":
        pytest.skip(
            "the limit counts the threads of gVisor's kernel; memory bounds the tasks in it"
        )
    assert 400 < number(bench.run(attack("fork_bomb"), rooms), "tasks") < limits.PIDS


def test_control_without_the_limit_it_goes_on(bench: Bench, rooms: Task) -> None:
    """Without `PidsLimit` the bomb comes to its own bound."""
    without_defence(bench, "fork_bomb")
    assert number(bench.run(attack("fork_bomb"), rooms), "tasks") == 620


@pytest.mark.claim("limits-hold")
def test_orphans_are_reaped(bench: Bench, unhurried: Task) -> None:
    """Zombies do not fill the process table."""
    result = bench.run(attack("zombies"), unhurried)
    assert number(result, "made") == 100
    assert number(result, "zombies") < 10


def test_control_without_an_init_they_stay(bench: Bench) -> None:
    """Without `Init` the same orphans stay."""
    without_defence(bench, "zombies")
    assert number(bench.run(attack("zombies")), "zombies") > 90


@pytest.mark.claim("limits-hold")
def test_descriptors_end_at_the_limit(bench: Bench) -> None:
    """No more descriptors than the limit are opened, and the limit can't be raised."""
    assert number(bench.run(attack("open_files")), "opened") < limits.OPEN_FILES


def test_control_without_the_limit_more_are_opened(bench: Bench) -> None:
    """Without `nofile` the attack comes to its own bound."""
    bench.weaken(without_limit("nofile"))
    assert number(bench.run(attack("open_files")), "opened") == 4915 - 64


# ---- memory ------------------------------------------------------------------------------------


@pytest.mark.claim("limits-hold")
def test_a_hog_dies_alone(bench: Bench) -> None:
    """Who takes more memory than the task gives is killed, and told so."""
    result = bench.run(attack("memory_hog", MEBIBYTES=bench.task.settings.memory_mib + 80))
    assert (result.outcome, result.score) == (Outcome.over_memory, None)


def test_control_without_the_limit_all_is_held(bench: Bench) -> None:
    """Without a memory limit more is held than the task gives."""

    without_defence(bench, "memory_hog")
    assert number(bench.run(attack("memory_hog")), "held") > bench.task.settings.memory_mib


@pytest.mark.claim("limits-hold")
def test_buffers_of_sockets_are_no_way_around_the_memory_limit(bench: Bench) -> None:
    """What lies in sockets is counted, or there are none."""
    assert "held: 160" not in bench.run(attack("socket_memory")).log


def test_control_with_loopback_sockets_there_is_more_memory(bench: Bench) -> None:
    """With sockets of AF_INET more is held than the limit, where the kernel does not count it."""
    without_defence(bench, "socket_memory")
    result = bench.run(attack("socket_memory"))
    if result.outcome is Outcome.over_memory:
        pytest.skip("this kernel counts what lies in sockets")
    assert number(result, "held") == 160


# ---- places to write ---------------------------------------------------------------------------


@pytest.mark.claim("limits-hold")
def test_the_artifact_is_full_when_it_should_be(bench: Bench) -> None:
    """The artifact takes its size and its inodes, and no more."""
    result = bench.run(attack("fill_artifact"))
    assert number(result, "written") <= bench.task.settings.artifact_mib * MIB
    assert number(result, "files") <= limits.ARTIFACT_INODES


def test_control_without_options_the_artifact_takes_more(bench: Bench) -> None:
    """Without `size` and `nr_inodes` the attack comes to its own bound."""

    without_defence(bench, "fill_artifact")
    result = bench.run(attack("fill_artifact"))
    assert (number(result, "written"), number(result, "files")) == (10 * MIB, 4915)


@dataclass(frozen=True)
class _Place:
    """A place to write: what it may take, and what the attack tries."""

    path: str
    size: int
    inodes: int
    most_bytes: int
    most_files: int

    def attack(self) -> str:
        return attack(
            "fill_tmpfs", PLACE=self.path, MOST_BYTES=self.most_bytes, MOST_FILES=self.most_files
        )


PLACES = [
    _Place("/tmp", limits.TMP_BYTES, limits.TMP_INODES, 300 * MIB, 19_660),
    _Place("/dev/shm", limits.SHM_BYTES, 1 << 20, 150 * MIB, 100),
]


@pytest.mark.claim("limits-hold")
@pytest.mark.parametrize("place", first_now(*PLACES), ids=lambda place: place.path)
def test_a_tmpfs_is_full_when_it_should_be(
    bench: Bench, unhurried: Task, place: _Place, runtime: str
) -> None:
    """Places to write take their quota, and no more."""
    result = bench.run(place.attack(), unhurried)
    assert 0 < number(result, "written") <= place.size
    # gVisor ignores `nr_inodes` of a tmpfs, as the doctor says: there memory bounds files.
    inodes = place.most_files if runtime == "runsc" else place.inodes
    assert 0 < number(result, "files") <= inodes


@pytest.mark.parametrize("place", first_now(*PLACES), ids=lambda place: place.path)
def test_control_without_a_size_a_tmpfs_takes_more(
    bench: Bench, unhurried: Task, place: _Place
) -> None:
    """Without quotas the attack comes to its own bound."""

    def boundless(spec: Spec, order: Order) -> None:
        if order.role is Role.trainer:
            spec["HostConfig"]["ShmSize"] = 1 << 30
            spec["HostConfig"]["Tmpfs"] = {"/tmp": "rw,mode=1777", "/cache": "rw,mode=1777"}

    bench.weaken(boundless)
    result = bench.run(place.attack(), unhurried)
    assert number(result, "written") == place.most_bytes
    assert number(result, "files") == place.most_files


@pytest.mark.claim("limits-hold")
def test_no_core_is_dumped(bench: Bench) -> None:
    """A crash leaves no core file."""
    result = bench.run(attack("core_dump"))
    assert (number(result, "dumped"), number(result, "cores")) == (0, 0)


@pytest.mark.skipif(platform.system() != "Linux", reason="the engine's kernel is not this one")
def test_control_without_the_limit_a_core_is_dumped(bench: Bench) -> None:
    """Without `core` the same crash leaves one."""
    if Path("/proc/sys/kernel/core_pattern").read_text().startswith(("|", "/")):
        pytest.skip("this kernel hands cores to a program of the host, or writes them elsewhere")
    bench.weaken(without_limit("core"))
    assert number(bench.run(attack("core_dump")), "cores") == 1


# ---- output ------------------------------------------------------------------------------------


FLOOD = 4 * MIB
"""Below the real limit, so that a busy machine gets there within the budget of a second."""


@pytest.mark.claim("host-reads-with-a-cap")
def test_a_flood_of_output_ends_the_run(bench: Bench) -> None:
    """Output without line ends, with NUL or broken UTF-8 is counted, cut, and ends the run."""
    bench.patch.setattr(limits, "LOG_FLOOD", FLOOD)
    result = bench.run(attack("output_flood"))
    assert (result.outcome, result.score) == (Outcome.over_output, None)
    assert result.log_bytes < limits.LOG_FLOOD + 4 * MIB
    assert len(result.log) <= limits.LOG_HEAD + limits.LOG_TAIL + 200


def test_control_with_a_higher_bound_the_flood_is_read_out(bench: Bench) -> None:
    """With a higher bound the whole flood is read, and the candidate is scored."""
    bench.patch.setattr(limits, "LOG_FLOOD", 1 << 40)
    result = bench.run(attack("output_flood"))
    assert result.outcome is Outcome.scored
    assert result.log_bytes >= 8_000_000


@pytest.mark.claim("host-reads-with-a-cap")
def test_a_flood_in_an_answer_ends_the_run(bench: Bench) -> None:
    """A predictor's output is counted like a trainer's."""
    bench.patch.setattr(limits, "LOG_FLOOD", FLOOD)
    result = bench.run(attack("answer_flood"))
    assert (result.outcome, result.score) == (Outcome.over_output, None)


def test_control_with_a_higher_bound_the_answer_after_it_is_scored(bench: Bench) -> None:
    """With a higher bound the flood is read out, and the answer counts."""
    bench.patch.setattr(limits, "LOG_FLOOD", 1 << 40)
    assert bench.run(attack("answer_flood")).outcome is Outcome.scored


# ---- what is given back ------------------------------------------------------------------------


def _in_use(host: Host) -> dict[str, int]:
    """What this instance holds, once its removals have ended, or after ten seconds."""
    labels = {"sealed.instance": host.instance}
    until = time.monotonic() + 10
    while True:
        found = {
            "containers": len(host.engine.containers(labels)),
            "artifacts": len(host.engine.volumes(labels | {"sealed.role": "artifact"})),
            "uids": host.uids.leased,
            "threads": threading.active_count(),
            "descriptors": len(os.listdir("/proc/self/fd")),
        }
        if not found["containers"] + found["artifacts"] or time.monotonic() > until:
            return found
        time.sleep(0.1)


@pytest.mark.claim("trials-leave-nothing")
def test_crash_loops_leave_nothing_behind(bench: Bench, host: Host) -> None:
    """Container, volume, uids, threads and descriptors of a crash are given back."""
    assert bench.run(attack("crash_loop")).outcome is Outcome.crash
    before = _in_use(host)
    assert {before["containers"], before["artifacts"], before["uids"]} == {0}
    for _ in range(2):
        assert bench.run(attack("crash_loop")).outcome is Outcome.crash
    after = _in_use(host)
    # The engine's client keeps a few connections open, and adds one now and then.
    assert after["descriptors"] <= before["descriptors"] + 3
    assert after | {"descriptors": 0} == before | {"descriptors": 0}


def test_control_without_removal_containers_stay(bench: Bench, host: Host) -> None:
    """Without the set's removal they stay, until the reaper comes."""
    close: Callable[[ContainerSet], None] = ContainerSet.close
    kept: list[ContainerSet] = []

    def keep(containers: ContainerSet) -> None:  # a bound `kept.append` would get no argument
        kept.append(containers)

    bench.patch.setattr(ContainerSet, "close", keep)
    bench.run(attack("crash_loop"))
    labels = {"sealed.instance": host.instance}
    try:
        assert len(host.engine.containers(labels)) == 5
        assert reap(host.engine, host.instance).containers == 5
        assert not host.engine.containers(labels)
    finally:
        assert len(kept) == 1
        close(kept[0])
