"""A throw-away container that does as agent code would: for the doctor, and to list GPUs.

It is started by the same policy as a trainer, with one `exec` under the program's uid.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from sandbox import limits
from sandbox.containers.container import RoleContainer, put_away
from sandbox.containers.gpus import parse_listing
from sandbox.containers.host import Host
from sandbox.containers.sets import cpuset
from sandbox.errors import SandboxError
from sandbox.policy import Order, Role, Volumes

MEMORY_MIB = 256


@dataclass
class Probe:
    """What a probe's program did."""

    exit_code: int | None
    output: str
    seconds: float
    """From arming to the end."""
    out_of_memory: bool


def probe_order(host: Host, image: str, *, volumes: Volumes | None = None, gpu: str = "") -> Order:
    """The order of one probe; leases a pair of uids."""
    timer_uid, program_uid = host.uids.lease()
    cpus = min(1.0, float(host.cpus))
    return Order(
        role=Role.probe,
        image=image,
        instance=host.instance,
        trial="probe",
        deadline=int(time.time() + 2 * limits.UNARMED),
        timer_uid=timer_uid,
        program_uid=program_uid,
        memory_mib=MEMORY_MIB,
        cpus=cpus,
        cpuset=cpuset(cpus, host.cpus),
        artifact_mib=8,
        volumes=volumes or Volumes(),
        runtime=host.config.runtime,
        gpu=gpu,
    )


def run_probe(host: Host, order: Order, program: Sequence[str], seconds: float) -> Probe:
    """Run a program in a probe container, armed for `seconds`, until it or the container ends."""
    container = RoleContainer(host.engine, order, host.uids)
    since = time.time()
    try:
        container.start_program(program)
        began = container.arm(seconds)
        container.wait_frame(began + seconds + limits.START)
        ended = time.monotonic()
        code = container.settled_exit_code()
        hungry = container.ran_out_of_memory(since)
        return Probe(code, container.log.text(), ended - began, hungry)
    finally:
        put_away(container)


def gpu_uuids(host: Host) -> tuple[str, ...]:
    """GPUs that the engine can give: as configured, or as the driver's own tool lists them."""
    return listed_gpus(host) if host.config.gpus is None else host.config.gpus


def listed_gpus(host: Host) -> tuple[str, ...]:
    """GPUs that a container is given, by the driver's own tool."""
    if "nvidia" not in host.runtimes:
        return ()
    image = host.engine.image(host.config.agent_image).id
    try:
        order = probe_order(host, image, gpu="all")
        listing = run_probe(host, order, ["/bin/sh", "-c", "nvidia-smi --list-gpus >&2"], 30)
    except SandboxError:
        return ()
    return tuple(parse_listing(listing.output))
