"""Channels between containers: what one predictor leaves, the next must not find."""

import json
import subprocess

import pytest

from sandbox.api import Outcome, Task, TrialResult
from sandbox.containers.host import Host
from sandbox.policy import PYTHON, Order, Role
from sandbox.seccomp import profile
from tests.support.attacks import HONEST_ROOMS, attack, first_now, number, unconfined
from tests.support.candidates import Bench, Spec
from tests.support.flips import left_alive, without_defence

pytestmark = [pytest.mark.docker, pytest.mark.attack]

COLLAPSE, UPPER = 25, 1 << 32
LIBRARY = "/opt/sealed/venv/lib/python3.11/site-packages/torch/lib/libtorch_cpu.so"
"""What `page_cache.py` reads."""


def _assert_apart(result: TrialResult) -> None:
    """Neither scoring's second predictor knew the number."""
    assert result.outcome in (Outcome.scored, Outcome.invalid, Outcome.crash)
    for score in (result.score, result.rehearsal_score):
        assert score is None or score == pytest.approx(HONEST_ROOMS)


# ---- files and memory --------------------------------------------------------------------------


@pytest.mark.claim("rooms-are-apart")
def test_a_predictor_leaves_nothing_for_the_next(bench: Bench, rooms: Task) -> None:
    """Files, names, times, attributes, shared memory, sockets and daemons end with a predictor."""
    result = bench.run(attack("rooms_memory"), rooms)
    assert result.outcome is Outcome.scored
    assert result.score == pytest.approx(HONEST_ROOMS)
    assert result.rehearsal_score == pytest.approx(HONEST_ROOMS)


def test_control_a_writable_artifact_is_a_memory(bench: Bench, rooms: Task) -> None:
    """With an artifact that predictors may write to, the next one knows what it was not told."""

    without_defence(bench, "rooms_memory")
    result = bench.run(attack("rooms_memory"), rooms)
    assert result.score == pytest.approx(HONEST_ROOMS - 100)


@pytest.mark.claim("rooms-are-apart")
@pytest.mark.parametrize("how", [*first_now("hole", "beyond", "allocated"), "hidden"])
def test_holes_of_an_artifact_carry_nothing(bench: Bench, rooms: Task, how: str) -> None:
    """A place in a file that reading fills is refused, or nobody can see that it was filled."""
    result = bench.run(attack("sparse_artifact", HOW=how), rooms)
    _assert_apart(result)
    assert result.attempts == 1


def test_control_without_the_look_at_holes_they_carry(bench: Bench, rooms: Task) -> None:
    """Without the look at the artifact, the next predictor knows what it was not told."""
    without_defence(bench, "sparse_artifact")
    result = bench.run(attack("sparse_artifact"), rooms)
    assert result.score == pytest.approx(HONEST_ROOMS - 100)


@pytest.mark.claim("rooms-are-apart")
@pytest.mark.parametrize("advice", [COLLAPSE, COLLAPSE | UPPER])
def test_collapsed_pages_of_an_artifact_carry_nothing(
    bench: Bench, rooms: Task, advice: int
) -> None:
    """How the kernel keeps an artifact in memory is not for a predictor to change."""
    _assert_apart(bench.run(attack("collapsed_artifact", COLLAPSE=advice), rooms))


def test_control_without_the_seccomp_list_collapsed_pages_carry(bench: Bench, rooms: Task) -> None:
    """Where pages can be collapsed, the next predictor knows what it was not told."""
    bench.weaken(unconfined)
    result = bench.run(attack("collapsed_artifact"), rooms)
    assert result.score == pytest.approx(HONEST_ROOMS - 100)


def test_control_with_one_advice_refused_collapsed_pages_carry(bench: Bench, rooms: Task) -> None:
    """A list that refuses the advice by its number is passed by a bit that the kernel ignores."""

    def but_one(spec: Spec, order: Order) -> None:
        listed = profile()
        listed["syscalls"] = [r for r in listed["syscalls"] if "madvise" not in r["names"]]
        refused = {"index": 2, "value": COLLAPSE, "op": "SCMP_CMP_NE"}
        listed["syscalls"].append(
            {"names": ["madvise"], "action": "SCMP_ACT_ALLOW", "args": [refused]}
        )
        if order.role is Role.predictor:
            spec["HostConfig"]["SecurityOpt"][1] = f"seccomp={json.dumps(listed)}"

    bench.weaken(but_one)
    result = bench.run(attack("collapsed_artifact", COLLAPSE=COLLAPSE | UPPER), rooms)
    assert result.score == pytest.approx(HONEST_ROOMS - 100)


@pytest.mark.claim("rooms-are-apart")
def test_memory_policies_of_an_artifact_carry_nothing(bench: Bench, rooms: Task) -> None:
    """Where the kernel should keep an artifact's pages is not for a predictor to say, or to ask."""
    _assert_apart(bench.run(attack("memory_policy"), rooms))


def test_control_without_the_seccomp_list_policies_carry(bench: Bench, rooms: Task) -> None:
    """Where policies can be set, the next predictor knows what it was not told."""
    bench.weaken(unconfined)
    result = bench.run(attack("memory_policy"), rooms)
    assert result.score == pytest.approx(HONEST_ROOMS - 100)


# ---- locks and watches -------------------------------------------------------------------------


@pytest.mark.claim("rooms-are-apart")
@pytest.mark.parametrize(
    ("how", "outcome"),
    [
        ("record", Outcome.crash),
        pytest.param("open_file", Outcome.crash, marks=pytest.mark.slow),
        ("whole", Outcome.scored),
    ],
)
def test_no_lock_on_a_shared_file_is_had(
    bench: Bench, rooms: Task, how: str, outcome: Outcome
) -> None:
    """A predictor can't lock what another mounts, were both alive: it is refused, or nothing."""
    left_alive(bench.patch, bench.service)
    result = bench.run(attack("lock_sender", HOW=how), rooms)
    assert result.outcome is outcome
    _assert_apart(result)


@pytest.mark.claim("rooms-are-apart")
def test_a_lock_ends_before_the_next_predictor_begins(bench: Bench, rooms: Task) -> None:
    """Even with locks, no predictor finds one: their owner is dead."""
    bench.weaken(unconfined)
    _assert_apart(bench.run(attack("lock_sender"), rooms))


@pytest.mark.parametrize("how", first_now("record", "open_file", "whole"))
def test_control_a_lock_of_a_living_predictor_is_a_note(
    bench: Bench, rooms: Task, how: str
) -> None:
    """With locks, and two predictors alive at a time, the second knows what it was not told."""
    without_defence(bench, "lock_sender")
    result = bench.run(attack("lock_sender", HOW=how), rooms)
    assert result.rehearsal_score == pytest.approx(HONEST_ROOMS - 100)


@pytest.mark.claim("rooms-are-apart")
@pytest.mark.parametrize("how", first_now("inotify", "notify"))
def test_nobody_sees_who_uses_a_file(bench: Bench, rooms: Task, how: str) -> None:
    """A predictor can't watch what another mounts, were both alive."""
    left_alive(bench.patch, bench.service)
    result = bench.run(attack("watch_sender", HOW=how), rooms)
    assert result.outcome is Outcome.crash
    assert "PermissionError" in result.log


@pytest.mark.claim("rooms-are-apart")
def test_nobody_uses_a_file_when_the_next_predictor_watches(bench: Bench, rooms: Task) -> None:
    """Even with watches, a predictor sees nothing of the one before it, which is dead."""
    bench.weaken(unconfined)
    _assert_apart(bench.run(attack("watch_sender"), rooms))


@pytest.mark.parametrize("how", first_now("inotify", "notify"))
def test_control_a_watch_on_a_living_predictor_tells(bench: Bench, rooms: Task, how: str) -> None:
    """With watches, and two predictors alive at a time, the second knows what it was not told."""
    without_defence(bench, "watch_sender")
    result = bench.run(attack("watch_sender", HOW=how), rooms)
    assert result.rehearsal_score == pytest.approx(HONEST_ROOMS - 100)


# ---- what the kernel keeps of files ------------------------------------------------------------


@pytest.mark.claim("trials-leave-nothing")
def test_a_file_system_takes_no_request(bench: Bench, rooms: Task) -> None:
    """What a file system keeps with a file of the data is not for a trainer to change."""
    result = bench.run(attack("file_state"), rooms)
    assert result.outcome is Outcome.crash
    assert "PermissionError" in result.log


def test_control_without_the_seccomp_list_a_file_keeps_a_state(bench: Bench, rooms: Task) -> None:
    """Where ext4 takes requests, the next trial finds what the one before it left."""
    bench.weaken(unconfined)
    result = bench.run(attack("file_state"), rooms)
    if "Inappropriate ioctl" in result.log:
        pytest.skip("the engine's volumes are not on ext4")
    assert (number(result, "found"), number(result, "left")) == (0, 1)
    assert number(bench.run(attack("file_state"), rooms), "found") == 1


@pytest.fixture
def forgotten(host: Host) -> None:
    """The library that the attacks read is in no memory: building the images has read all of it."""
    forget = (
        f"import os; path = {LIBRARY!r}; "
        "os.posix_fadvise(os.open(path, os.O_RDONLY), 0, 0, os.POSIX_FADV_DONTNEED)"
    )
    options = ("--rm", "--network=none", "--security-opt=seccomp=unconfined")
    image = host.config.agent_image
    subprocess.run(["docker", "run", *options, image, PYTHON, "-I", "-B", "-c", forget], check=True)


ways = pytest.mark.parametrize("send", first_now("advice", "fadvise", "readahead"))


@pytest.mark.claim("rooms-are-apart")
@ways
def test_calls_that_bring_pages_in_are_refused(
    bench: Bench, rooms: Task, send: str, runtime: str
) -> None:
    """No call loads a page of a shared file that it does not read."""
    result = bench.run(attack("page_cache", SEND=send), rooms)
    # gVisor counts no reads: mostly no page is known to be cold, and then none is brought in.
    if runtime == "runsc" and result.outcome is Outcome.scored:
        assert result.rehearsal_score == pytest.approx(HONEST_ROOMS)
        return
    assert result.outcome is Outcome.crash
    assert "PermissionError" in result.log


@ways
def test_control_without_the_seccomp_list_pages_brought_in_carry(
    bench: Bench, rooms: Task, forgotten: None, send: str
) -> None:
    """Where such a call is answered, the next predictor knows what it was not told."""
    bench.weaken(unconfined)
    result = bench.run(attack("page_cache", SEND=send), rooms)
    assert result.rehearsal_score == pytest.approx(HONEST_ROOMS - 100)


def test_leftover_pages_of_an_image(bench: Bench, rooms: Task, forgotten: None) -> None:
    """Not promised under runc: which pages of the image were read carries a note."""
    result = bench.run(attack("page_cache"), rooms)
    assert result.score == pytest.approx(HONEST_ROOMS - 100)


def test_leftover_names_that_are_not_there(bench: Bench, rooms: Task) -> None:
    """Not promised under runc: names looked up in vain carry a note, and no more than it."""
    result = bench.run(attack("looked_up"), rooms)
    assert result.outcome is Outcome.scored, result
    assert result.rehearsal_score in (
        pytest.approx(HONEST_ROOMS),
        pytest.approx(HONEST_ROOMS - 100),
    )
