"""The prepare role: make a task's data once, with a network; hash it again, without one."""

import secrets
import time
from typing import Any

import msgspec

from sandbox import limits
from sandbox.api import TaskFiles
from sandbox.containers.container import RoleContainer, StartFailed, put_away
from sandbox.containers.host import Host
from sandbox.containers.sets import cpuset
from sandbox.containers.streams import Frame
from sandbox.errors import BadTask, Internal
from sandbox.log_reader import clean, last_line
from sandbox.policy import LABEL, Order, Role, Volumes
from sandbox.tasks.store import Data, TaskStore, data_name
from sealed_task import frames, values

_REPORT_BYTES = 256 * 1024 * 1024


def make_data(host: Host, store: TaskStore, files: TaskFiles, image: str) -> Data:
    """Run the task's `prepare` from nothing. Raises `BadTask` with its own words."""
    name = data_name(files)
    volumes = store.volumes(name)
    labels = {LABEL + "instance": host.instance, LABEL + "role": "data"}
    for volume in volumes.of_data():
        host.engine.create_volume(volume, labels)
    bundle = host.config.ca_bundle
    index = host.config.package_index
    order: dict[str, Any] = {
        "prepare": files.prepare,
        "salt": store.salt(name),
        "environment": dict(host.config.proxies) | ({"PIP_INDEX_URL": index} if index else {}),
        "ca_bundle": bundle.read_text() if bundle else "",
    }
    return _data(
        *ask_about_data(
            host, Role.prepare, volumes, image, frames.Kind.PREPARE, values.encode(order)
        )
    )


def hash_data(host: Host, volumes: Volumes, image: str) -> Data:
    """Hash what lies in the volumes now, read-only and without a network."""
    return _data(*ask_about_data(host, Role.verify, volumes, image, frames.Kind.VERIFY, b""))


def ask_about_data(
    host: Host, role: Role, volumes: Volumes, image: str, kind: frames.Kind, payload: bytes
) -> tuple[Frame | None, str]:
    """Run a role that has the data, ask it one thing: its answer, if it gave one, and its log.

    Raises `Internal` if it did not start.
    """
    timer_uid, program_uid = host.uids.lease()
    order = Order(
        role=role,
        image=image,
        instance=host.instance,
        trial=secrets.token_hex(8),
        deadline=int(time.time() + 2 * limits.PREPARE),
        timer_uid=timer_uid,
        program_uid=program_uid,
        memory_mib=min(limits.PREPARE_MEMORY_MIB, host.memory_mib),
        cpus=host.cpus,
        cpuset=cpuset(host.cpus, host.cpus),
        artifact_mib=1,
        volumes=volumes,
        runtime=host.config.runtime,
    )
    container = RoleContainer(host.engine, order, host.uids)
    try:
        container.start(most=_REPORT_BYTES)
        container.ready()
        container.stream.send(kind, payload)
        frame = container.wait_frame(time.monotonic() + limits.PREPARE)
        return frame, container.log.text()
    except StartFailed as fault:
        raise Internal(f"The {role} role did not start: {fault}.", "See `sealed doctor`.") from None
    finally:
        put_away(container)


def _data(frame: Frame | None, output: str) -> Data:
    if frame is None:
        raise BadTask(
            f"`prepare` ended without a word: {last_line(output) or 'no output'}.",
            f"It has {limits.PREPARE} s and {limits.PREPARE_MEMORY_MIB} MiB; run it by hand.",
        )
    if frame.kind == frames.Kind.BROKEN:
        text = clean(frame.text()).strip()
        raise BadTask(f"`prepare` failed: {last_line(text)}", f"Mend prepare.py.\n{text}")
    report: Any = values.decode(bytes(frame.payload))
    return msgspec.convert(report, Data)
