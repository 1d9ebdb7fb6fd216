"""What a role container is started with: one pure function, and the check that it came out so.

What it does not protect against: a hole in the kernel or the GPU's driver, the timing of one
container as another one feels it, and an operator who runs agent code elsewhere.

The spec is a body of the engine's `create` call. Nothing in it comes from a candidate; of a task
come numbers within bounds and the image. `WHY` has a reason for every setting, and the tests have
a probe for each that breaks when it is removed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources
from typing import Any

from sandbox import limits
from sandbox.seccomp import profile_json

PYTHON = "/opt/sealed/venv/bin/python"
RUNNERS = "/opt/sealed/lib/sealed_runner"
LABEL = "sealed."
MIB = 1024 * 1024
CONFINE = resources.files("sandbox.programs").joinpath("confine.py").read_text()
SPLITS = resources.files("sandbox.programs").joinpath("splits.py").read_text()


class Role(StrEnum):
    """Who a container is."""

    trainer = "trainer"
    predictor = "predictor"
    scorer = "scorer"
    holder = "holder"
    prepare = "prepare"
    verify = "verify"
    survey = "survey"
    probe = "probe"


AGENT_ROLES = {Role.trainer, Role.predictor, Role.probe}
"""Roles that run (or, the probe, act as) agent code: by one `exec`, under a timer."""
_OF_DATA = {Role.prepare, Role.verify, Role.survey}
"""Roles that make a task's data or look through all of it."""


@dataclass(frozen=True, kw_only=True)
class Volumes:
    """Names of the volumes that a role may mount; empty where it has none."""

    public: str = ""
    sealed: str = ""
    task: str = ""
    artifact: str = ""
    artifact_kept: bool = False
    """The artifact is the baseline's: a volume on disk, first opened to the trainer's uid."""

    def of_data(self) -> tuple[str, str, str]:
        """The volumes that the prepare role fills."""
        return self.public, self.sealed, self.task


@dataclass(frozen=True, kw_only=True)
class Order:
    """All that the spec depends on."""

    role: Role
    image: str
    """By id, never by tag."""
    instance: str
    trial: str
    deadline: int
    """Unix seconds after which the reaper may remove the container."""
    timer_uid: int
    program_uid: int
    memory_mib: int
    cpus: float
    cpuset: str
    artifact_mib: int
    volumes: Volumes
    runtime: str = ""
    gpu: str = ""
    """UUID of the leased GPU; empty for none."""


WHY: dict[str, str] = {
    "Image": "by id: a tag that moves changes nothing",
    "Cmd": "the timer: when it ends, the kernel kills every process of the container",
    "User": "the timer's own uid: agent code can neither signal nor trace it",
    "Env": "empty: keys never reach a candidate",
    "OpenStdin": "the timer is armed through it, and its end ends a container without a sandbox",
    "StdinOnce": "a lost sandbox closes the timer's stdin",
    "Healthcheck": "none: it would be a second exec",
    "Labels": "the reaper removes by them",
    "HostConfig.NetworkMode": "no exfiltration, and no second channel between containers",
    "HostConfig.Init": "reaps orphans: zombies would fill the pids limit",
    "HostConfig.CapDrop": "no capability, not even in a setuid program",
    "HostConfig.SecurityOpt": "no new privileges, and our own list of system calls for each role",
    "HostConfig.ReadonlyRootfs": "nothing can be left in the image's files",
    "HostConfig.Tmpfs": "sized: the only places to write, gone with the container",
    "HostConfig.Mounts": "named volumes of this role alone, read-only but for the artifact",
    "HostConfig.IpcMode": "no shared memory with another container",
    "HostConfig.CgroupnsMode": "cgroup paths of the host stay unseen",
    "HostConfig.ShmSize": "shared memory is bounded",
    "HostConfig.Memory": "a hog dies alone",
    "HostConfig.MemorySwap": "equal to memory: otherwise swap doubles it",
    "HostConfig.PidsLimit": "a fork bomb ends here",
    "HostConfig.NanoCpus": "equal time for every candidate",
    "HostConfig.CpusetCpus": "the same cores for every candidate, and threads counted right",
    "HostConfig.Ulimits": "no core dumps, no message queues, bounded files and locked memory",
    "HostConfig.OomScoreAdj": "if memory runs out, this dies before the sandbox does",
    "HostConfig.RestartPolicy": "dead stays dead",
    "HostConfig.LogConfig": "none: the sandbox reads the stream itself, with a cap",
    "HostConfig.DeviceRequests": "one leased GPU by UUID, to compute and nothing else",
    "HostConfig.Runtime": "the runtime that was asked for, or none",
}
"""Setting of the spec, and the reason for it."""


def role_spec(order: Order) -> dict[str, Any]:
    """The body of the engine's `create` call for one container of this role."""
    agent = order.role in AGENT_ROLES
    memory = order.memory_mib * MIB
    file_size = max(order.artifact_mib * MIB, limits.TMP_BYTES)
    networked = order.role is Role.prepare
    tmpfs = {
        "/tmp": _tmpfs(limits.TMP_BYTES, limits.TMP_INODES, "noexec"),  # noqa: S108
    }
    if agent:
        tmpfs["/cache"] = _tmpfs(limits.CACHE_BYTES, limits.CACHE_INODES, "exec")
    if order.role in _OF_DATA:
        # The operator's own code: it may download and unpack, and its volumes are on disk.
        file_size = -1
        tmpfs["/tmp"] = _tmpfs(memory // 2, 1 << 20, "noexec")  # noqa: S108
    return {
        "Image": order.image,
        "Cmd": _command(order.role),
        "User": _user(order),
        "Env": [],
        "OpenStdin": True,
        "StdinOnce": True,
        "AttachStdin": True,
        "Tty": False,
        "Healthcheck": {"Test": ["NONE"]},
        "Labels": {
            LABEL + "instance": order.instance,
            LABEL + "role": str(order.role),
            LABEL + "trial": order.trial,
            LABEL + "deadline": str(order.deadline),
        },
        "HostConfig": {
            "NetworkMode": "bridge" if networked else "none",
            "Init": True,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges", f"seccomp={_calls(order)}"],
            "ReadonlyRootfs": True,
            "Tmpfs": tmpfs,
            "Mounts": _mounts(order),
            "IpcMode": "private",
            "CgroupnsMode": "private",
            "ShmSize": limits.SHM_BYTES,
            "Memory": memory,
            "MemorySwap": memory,
            "PidsLimit": limits.PIDS,
            "NanoCpus": round(order.cpus * 1e9),
            "CpusetCpus": order.cpuset,
            "Ulimits": [
                _ulimit("core", 0),
                _ulimit("fsize", file_size),
                _ulimit("memlock", 64 * 1024),
                _ulimit("msgqueue", 0),
                _ulimit("nofile", limits.OPEN_FILES),
            ],
            "OomScoreAdj": 900,
            "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
            "LogConfig": {"Type": "none", "Config": {}},
            "DeviceRequests": _gpu(order.gpu) if agent else [],
            # A runtime such as gVisor may be registered without a network.
            "Runtime": "" if networked else order.runtime,
        },
    }


def exec_spec(order: Order, modules: tuple[str, ...] = ()) -> dict[str, Any]:
    """The one `exec` of a container that runs agent code: the trusted runner, as another uid."""
    runner = [PYTHON, "-I", "-B", f"{RUNNERS}/agent.py", str(order.role), *modules]
    return {
        "Cmd": confined(order, runner),
        "User": f"{order.program_uid}:{order.program_uid}",
        "Env": [
            "HOME=/tmp",
            "TORCHINDUCTOR_CACHE_DIR=/cache",
            "TRITON_CACHE_DIR=/cache",
            f"OMP_NUM_THREADS={math.ceil(order.cpus)}",
        ],
        "WorkingDir": "/tmp",  # noqa: S108
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
        "Privileged": False,
        "Tty": False,
    }


def confined(order: Order, program: Sequence[str]) -> list[str]:
    """The command that runs a program of an `exec` with the list of system calls.

    The engine's own runtime puts it on. Others may leave it off an `exec`, as gVisor does before
    2026 (https://github.com/google/gvisor/issues/12693): there the program puts it on itself.
    """
    if not order.runtime:
        return list(program)
    return [PYTHON, "-I", "-B", "-c", CONFINE, _calls(order), *program]


def artifact_options(mib: int, program_uid: int) -> dict[str, str]:
    """Options of the artifact's tmpfs volume, writable by the trainer's program alone."""
    options = (
        f"size={mib}m,nr_inodes={limits.ARTIFACT_INODES},"
        f"uid={program_uid},gid={program_uid},mode=0755,nosuid,nodev,noexec"
    )
    return {"type": "tmpfs", "device": "tmpfs", "o": options}


_COUNT_SPARSE = (
    r"""/usr/bin/find /artifact -xdev \( -type d -o -type f \) -printf '%y %b %s\n' 2>&1 | """
    r"""/usr/bin/awk '$1 == "d" && NF == 3 { next } NF != 3 || $2 * 512 < $3 { n++ } """
    r"""END { print "refused", n + 0 > "/dev/stderr" }'"""
)
"""Counts files with holes, and folders that can't be listed, without opening a file."""


def _command(role: Role) -> list[str]:
    if role in AGENT_ROLES:
        timer = f'read -r -t {limits.UNARMED} seconds && exec /bin/sleep "$seconds"'
        return ["/bin/bash", "-c", timer]
    seconds = limits.PREPARE if role in _OF_DATA else limits.SCORER_LIFE
    life = ["/usr/bin/timeout", "--signal=KILL", str(seconds)]
    if role is Role.holder:
        return [*life, "/bin/bash", "-c", f"while read -r _; do {_COUNT_SPARSE}; done"]
    if role is Role.survey:
        return [*life, PYTHON, "-I", "-B", "-c", SPLITS]
    runner = "scorer.py" if role is Role.scorer else "prepare.py"
    return [*life, PYTHON, "-I", "-B", f"{RUNNERS}/{runner}"]


def _user(order: Order) -> str:
    if order.role is Role.prepare:
        return "0:0"  # fills volumes that belong to root; without a capability, as all others
    return f"{order.timer_uid}:{order.timer_uid}"


def _calls(order: Order) -> str:
    """The list of system calls of this role."""
    return profile_json(
        networked=order.role is Role.prepare,
        locks=order.role is not Role.predictor,
        gpu=bool(order.gpu) and order.role in AGENT_ROLES,
        answers=not order.runtime or order.role in AGENT_ROLES or order.role is Role.prepare,
    )


def _mounts(order: Order) -> list[dict[str, Any]]:
    volumes, role = order.volumes, order.role
    writes = role is Role.prepare
    data = {Role.scorer, *_OF_DATA}
    table = [
        (volumes.public, "/data/public", data | {Role.trainer}, writes),
        (volumes.sealed, "/data/sealed", data, writes),
        (volumes.task, "/task", data | {Role.trainer, Role.predictor}, writes),
        (
            volumes.artifact,
            "/artifact",
            {Role.trainer, Role.predictor, Role.holder},
            role is Role.trainer,
        ),
    ]
    return [
        {
            "Type": "volume",
            "Source": name,
            "Target": target,
            "ReadOnly": not writable,
            # A fresh volume on disk belongs to root; copying gives it the mode of the image's
            # empty /artifact, which anyone may write to.
            "VolumeOptions": {"NoCopy": not (target == "/artifact" and volumes.artifact_kept)},
        }
        for name, target, roles, writable in table
        if name and role in roles
    ]


def _tmpfs(size: int, inodes: int, execution: str) -> str:
    return f"rw,nosuid,nodev,{execution},size={size},nr_inodes={inodes},mode=1777"


def _ulimit(name: str, value: int) -> dict[str, Any]:
    return {"Name": name, "Soft": value, "Hard": value}


def _gpu(uuid: str) -> list[dict[str, Any]]:
    if not uuid:
        return []
    # `gpu` selects the engine's driver; the driver's own capabilities are the other two.
    capabilities = ["gpu", "compute", "utility"]
    return [{"Driver": "nvidia", "Count": 0, "DeviceIDs": [uuid], "Capabilities": [capabilities]}]


def _said(value: Any) -> Any:
    """The value without what the engine leaves out of its answers: empty, zero, false."""
    if isinstance(value, dict):
        return {k: said for k, v in value.items() if (said := _said(v)) is not None} or None
    if isinstance(value, list):
        return [_said(item) for item in value] or None
    return value or None


def differences(spec: dict[str, Any], inspected: dict[str, Any]) -> list[str]:
    """Where a created container is not what the spec says; empty if it is.

    What the spec is silent about must be at its harmless value too.
    """
    found: list[str] = []

    def compare(name: str, wanted: Any, seen: Any) -> None:
        if _said(wanted) != _said(seen):
            found.append(f"{name}: wanted {wanted!r}, engine has {seen!r}"[:300])

    compare("Image", spec["Image"], inspected.get("Image"))
    config, host = inspected.get("Config", {}), inspected.get("HostConfig", {})
    for name, wanted in spec.items():
        if name not in ("Image", "HostConfig", "Labels", "Env"):
            compare(name, wanted, config.get(name))
    for label, wanted in spec["Labels"].items():
        compare(f"Labels.{label}", wanted, (config.get("Labels") or {}).get(label))
    compare("Env", [], [e for e in config.get("Env") or [] if not e.startswith("PATH=")])
    for name, wanted in spec["HostConfig"].items():
        seen = host.get(name)
        if name == "Runtime" and not wanted:
            continue  # the engine fills in its default
        if name == "Ulimits":
            seen = sorted(seen or [], key=lambda limit: str(limit.get("Name")))
        compare(f"HostConfig.{name}", wanted, seen)
    for name in ("Privileged", "CapAdd", "Binds", "Devices", "PidMode", "UTSMode", "UsernsMode",
                 "VolumesFrom", "DeviceCgroupRules", "PublishAllPorts", "PortBindings",
                 "ExtraHosts", "Links", "GroupAdd", "OomKillDisable", "Sysctls"):  # fmt: skip
        compare(f"HostConfig.{name}", None, host.get(name))
    mounted = {(m.get("Name"), m["Destination"], m["RW"]) for m in inspected.get("Mounts", [])}
    wanted_mounts = {
        (m["Source"], m["Target"], not m["ReadOnly"]) for m in spec["HostConfig"]["Mounts"]
    }
    compare("Mounts", sorted(wanted_mounts), sorted(mounted, key=str))
    return found
