"""GPUs: who has one, and what the driver's listing says."""

import threading
import time

import pytest

from sandbox.containers.gpus import Gpus, parse_listing
from sandbox.errors import TooFewResources

A, B = (
    "GPU-" + "a" * 8 + "-1111-2222-3333-" + "b" * 12,
    "GPU-" + "c" * 8 + "-1111-2222-3333-" + "d" * 12,
)
M = "MIG-" + "e" * 8 + "-1111-2222-3333-" + "f" * 12


def test_a_trial_gets_one_by_its_uuid() -> None:
    """While it lasts the trial has the GPU; afterwards the next one has."""
    gpus = Gpus([A])
    for _ in range(2):
        with gpus.lease(1) as uuid:
            assert uuid == A


def test_trials_have_different_ones() -> None:
    """Two at a time get two."""
    gpus = Gpus([A, B])
    with gpus.lease(1) as first, gpus.lease("auto") as second:
        assert {first, second} == {A, B}


def test_no_gpu_is_with_two_trials() -> None:
    """Many threads that want two GPUs share them one at a time, and each gets its turn."""
    gpus = Gpus([A, B])
    lock = threading.Lock()
    out: set[str] = set()
    faults: list[str] = []
    turns = [0]

    def want() -> None:
        for _ in range(5):
            with gpus.lease(1) as uuid:
                with lock:
                    if uuid in out or not uuid:
                        faults.append(uuid)
                    out.add(uuid)
                time.sleep(0.001)
                with lock:
                    out.discard(uuid)
                    turns[0] += 1

    threads = [threading.Thread(target=want, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (faults, turns) == ([], [40])


def test_a_waiting_trial_goes_on_when_one_is_free() -> None:
    """The next waits for the GPU instead of taking the CPU."""
    gpus = Gpus([A])
    got: list[str] = []

    def want() -> None:
        with gpus.lease("auto") as uuid:
            got.append(uuid)

    thread = threading.Thread(target=want, daemon=True)
    with gpus.lease(1):
        thread.start()
        thread.join(0.1)
        assert got == []
    thread.join(10)
    assert got == [A]


def test_a_failed_trial_gives_it_back() -> None:
    """An exception within the lease does not lose the GPU."""
    gpus = Gpus([A])
    with pytest.raises(ZeroDivisionError), gpus.lease(1):
        1 / 0  # noqa: B018
    with gpus.lease(1) as uuid:
        assert uuid == A


def test_auto_falls_back_to_the_cpu() -> None:
    """Where there is no GPU, `auto` and 0 run without; where there is one, 0 leaves it alone."""
    for gpus, wanted in ((Gpus([]), "auto"), (Gpus([]), 0), (Gpus([A]), 0)):
        gpus.check(wanted)  # type: ignore[arg-type]
        with gpus.lease(wanted) as uuid:  # type: ignore[arg-type]
            assert uuid == ""


def test_a_gpu_that_is_not_there_is_refused() -> None:
    """A task that wants one where there is none is told what to do, and never runs on the CPU."""
    gpus = Gpus([])
    with pytest.raises(TooFewResources) as fault:
        gpus.check(1)
    assert "gpus" in fault.value.next_step
    with pytest.raises(TooFewResources), gpus.lease(1):
        pytest.fail("a trial began")


LISTING = f"""\
GPU 0: NVIDIA H100 80GB HBM3 (UUID: {A})
GPU 1: NVIDIA A100-SXM4-40GB (UUID: {B})
  MIG 1g.5gb      Device  0: (UUID: {M})
"""


def test_the_listing_is_read_in_its_order() -> None:
    """UUIDs are taken from `nvidia-smi --list-gpus`, of whole GPUs and of MIG slices."""
    assert parse_listing(LISTING) == [A, B, M]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "No devices found.\n",
        "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.",
        "sh: 1: nvidia-smi: not found",
        "GPU 0: Some card (UUID: GPU-123)",
        "GPU 0: Some card (UUID: all)",
    ],
)
def test_a_listing_without_gpus_has_none(text: str) -> None:
    """What the tool says when it fails is no GPU."""
    assert parse_listing(text) == []


def test_one_that_is_held_outlives_its_lease() -> None:
    """Its trial's container does not die: it is free when the last holder has let go."""
    gpus = Gpus([A])
    for first in ("lease", "hold"):
        with gpus.lease(1) as uuid:
            gpus.hold(uuid)
            assert not gpus.available("auto")
            if first == "hold":
                gpus.let_go(uuid)
                assert not gpus.available(1)
        if first == "lease":
            assert not gpus.available(1)
            gpus.let_go(uuid)
        assert gpus.available(1)
    with gpus.lease(1), gpus.lease(0) as cpu:
        gpus.hold(cpu)
        gpus.let_go(cpu)
        assert not gpus.available(1)
        assert gpus.available(0)
