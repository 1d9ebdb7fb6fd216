"""The lists of system calls on a real engine: what they must not break, and what numbers mean.

Triton needs a GPU. By its source (`runtime/cache.py`, `runtime/build.py`) it starts a C compiler
and `ptxas`, writes below TRITON_CACHE_DIR, renames files there without a lock, and loads them. What
it says to the GPU's driver are requests (`ioctl`), which the list lets through where a container
has a GPU. Both lists were put on what `torch_works.py` does on one: all of it works (torch 2.11,
CUDA 13), without `mbind`, `get_mempolicy` and `fadvise64`, which it asks for and is refused.
"""

import json
import os
import platform
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.containers.host import Host
from sandbox.containers.probe import Probe, gpu_uuids, probe_order, run_probe
from sandbox.denied import ABIS, BY_ARGUMENT, DENIED, REFUSED, REFUSED_LOCKS, attempts
from sandbox.doctor import run_program
from sandbox.doctor.leftovers import BITS, leftovers
from sandbox.policy import PYTHON, Role
from tests.support.attacks import unconfined
from tests.support.candidates import weaken

pytestmark = pytest.mark.docker

PROGRAMS = Path(__file__).parent / "programs"
COMPILER = "sealed-test-compiler"

agents = pytest.mark.parametrize("role", [Role.trainer, Role.predictor])


def _run(host: Host, role: Role, image: str, program: str, *arguments: str, gpu: str = "") -> Probe:
    """Run one of `programs` in a container of a role, which mounts nothing."""
    order = probe_order(host, host.engine.image(image).id, gpu=gpu)
    order = replace(order, role=role, memory_mib=4096 if gpu else 1024)
    # From a file: what spawns processes needs one.
    source = (PROGRAMS / f"{program}.py").read_text()
    script = 'printf %s "$0" > /tmp/program.py && exec "$@"'
    start = ["/bin/sh", "-c", script, source, PYTHON, "-I", "-B", "/tmp/program.py", *arguments]
    return run_probe(host, order, start, 120)


@agents
def test_torch_works(host: Host, role: Role) -> None:
    """Eager training, forked and spawned workers, threads, mapped files and shells all work."""
    names = ("eager", "workers", "threads", "shared_memory", "mapped", "programs")
    probe = _run(host, role, host.config.agent_image, "torch_works", *names)
    for name in names:
        assert f"{name}: works" in probe.output, probe.output


@pytest.fixture(scope="session")
def compiler() -> Iterator[str]:
    """The agent image with g++, as `SEALED_COMPILER=1` adds it."""
    steps = (
        "FROM sealed-agent\n"
        "RUN apt-get update -q && apt-get install -q -y --no-install-recommends g++ python3-dev\n"
    )
    build = ["docker", "build", "--tag", COMPILER, "-"]
    done = subprocess.run(build, input=steps, capture_output=True, text=True, check=False)
    if done.returncode:
        assert not os.environ.get("REQUIRE_DOCKER"), done.stdout[-2000:]
        pytest.skip("no Debian packages can be had here")
    yield COMPILER
    subprocess.run(["docker", "image", "rm", COMPILER], capture_output=True, check=False)


@pytest.mark.slow
@agents
def test_torch_works_on_a_gpu(host: Host, compiler: str, role: Role) -> None:
    """Training, pinned batches, CUDA graphs and Triton, where the engine has a GPU and CUDA."""
    uuids = gpu_uuids(host)
    if not uuids:
        pytest.skip("the engine has no GPU")
    names = ("on_gpu", "replayed", "compiled_on_gpu")
    probe = _run(host, role, compiler, "torch_works", *names, gpu=uuids[0])
    for name in names:
        assert f"{name}: works" in probe.output, probe.output


@pytest.mark.slow
@agents
def test_torch_compile_works(host: Host, compiler: str, role: Role) -> None:
    """torch.compile builds for the CPU and loads what it built, with locks and without."""
    probe = _run(host, role, compiler, "torch_works", "compiled")
    assert "compiled: works" in probe.output, probe.output


def test_numbers_are_those_of_libseccomp(host: Host) -> None:
    """What the doctor tries is what the names mean, in each ABI, as an independent table has it."""
    groups = (*DENIED.values(), BY_ARGUMENT)
    numbers = {
        abi: {name: number for group in groups for name, number in group.numbers(abi).items()}
        for abi in ABIS
    }
    probe = _run(
        host, Role.probe, host.config.agent_image, "known_numbers", json.dumps(numbers)
    )  # fmt: skip
    rows = [line.split() for line in probe.output.splitlines()]
    assert [row[0] for row in rows] == list(ABIS), probe.output
    assert all(int(row[1]) > 80 and not row[2:] for row in rows), probe.output


def test_control_what_is_refused_by_its_argument_is_answered_without_the_list(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each argument that the doctor tries is one that the kernel would have looked at."""
    weaken(monkeypatch, unconfined)
    refused = REFUSED | REFUSED_LOCKS
    native = "x86-64" if platform.machine() == "x86_64" else "arm64"
    by_argument = [each for each in attempts(locks=False)[native] if each[0] in refused]
    tried = {"x86-64": [], "i386": [], "arm64": []} | {native: by_argument}
    probe = run_program(host, "calls", json.dumps(tried), role=Role.predictor)
    answered = {name.rsplit(" (", 1)[0] for name in json.loads(probe.output)}
    assert answered == set(refused)


def test_what_is_left_is_measured(host: Host) -> None:
    """A note is sent in each way, and it is told how much of it arrived, and how fast."""
    pages, names = leftovers(host)
    assert names.bits == BITS + 1
    assert names.seconds > 0
    assert pages.bits <= BITS  # none where all of the image is in memory
    for leftover in (pages, names):
        assert 0 <= leftover.wrong <= leftover.bits
