"""Measured checks: a program in a throw-away container, and what it could do there.

The containers are started by the same policy as a trainer. Each check returns what is wrong as one
sentence, empty if nothing is; the person who reads it can't accept it.
"""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import resources
from typing import Any

from sandbox import limits
from sandbox.containers.container import RoleContainer, StartFailed, put_away
from sandbox.containers.host import Host
from sandbox.containers.probe import MEMORY_MIB, Probe, listed_gpus, probe_order, run_probe
from sandbox.denied import attempts
from sandbox.doctor.held_out import held_out
from sandbox.images.roles import check_disjoint, fit_image
from sandbox.policy import LABEL, MIB, PYTHON, Role

Facts = dict[str, Any]

_EXEC_ENVIRONMENT = {"HOME", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR", "OMP_NUM_THREADS"}
_ENGINE_ENVIRONMENT = {"PATH", "HOSTNAME", "LC_CTYPE"}
_OWN_KERNEL_DEVICES = {"fuse"}
_DEVICES = {"full", "null", "ptmx", "random", "tty", "urandom", "zero", "console"}


def run_program(
    host: Host,
    name: str,
    *arguments: object,
    seconds: float = 30,
    memory_mib: int = MEMORY_MIB,
    role: Role = Role.probe,
) -> Probe:
    """Run one of `sandbox/programs` in a container of a role, which mounts nothing."""
    source = resources.files("sandbox.programs").joinpath(f"{name}.py").read_text()
    order = probe_order(host, host.engine.image(host.config.agent_image).id)
    order = replace(order, memory_mib=memory_mib, role=role)
    program = [PYTHON, "-I", "-B", "-c", source, *map(str, arguments)]
    return run_probe(host, order, program, seconds)


def facts(host: Host) -> Facts:
    """What `programs/facts.py` sees; see there for the keys. Raises `StartFailed`.

    `own_kernel`: whether it is not the engine's kernel that a container runs on.
    """
    seen: Facts = _said(run_program(host, "facts"))
    return seen | {"own_kernel": seen["kernel"] != host.engine.info().get("KernelVersion")}


def _said(probe: Probe) -> Any:
    """The value of the probe's last line, which is JSON. Raises `StartFailed`."""
    try:
        return json.loads(probe.output.strip().rsplit("\n", 1)[-1].replace(" […]", ""))
    except ValueError:
        raise StartFailed(f"the probe said: {probe.output[-300:] or 'nothing'}") from None


def images(host: Host) -> str:
    """Both role images are there, fit, and share no layer."""
    agent = fit_image(host.engine, host.config.agent_image)
    check_disjoint(agent, fit_image(host.engine, host.config.scorer_image))
    order = probe_order(host, agent.id)
    find = "find / -xdev -perm /6000 -type f 2>/dev/null | head -5 >&2"
    setuid = run_probe(host, order, ["/bin/sh", "-c", find], 60).output.split()
    return f"setuid files in the agent image: {', '.join(setuid)}" if setuid else ""


# ---- what the facts must be -------------------------------------------------------------------


def _user(seen: Facts) -> str:
    if seen["uid"] == 0 or seen["uid"] == seen["init_uid"]:
        return f"agent code runs as uid {seen['uid']}, the timer as {seen['init_uid']}"
    return "agent code can signal another process" if seen["kills_init"] else ""


def _privileges(seen: Facts) -> str:
    if set(seen["capabilities"]) != {"0"}:
        return f"capabilities {seen['capabilities']}"
    return "" if seen["no_new_privileges"] == 1 else "no_new_privs is not set"


def _sockets(seen: Facts) -> str:
    return f"socket families: {seen['families']}" if seen["families"] else ""


def _network(seen: Facts) -> str:
    return str(seen["reaches"])


def _root(seen: Facts) -> str:
    return "" if seen["root_read_only"] else "the root file system can be written"


def _tmpfs(seen: Facts) -> str:
    wanted = {"tmp": (limits.TMP_BYTES, True), "cache": (limits.CACHE_BYTES, False)}
    for name, (size, noexec) in wanted.items():
        place = seen[name] or {}
        if place.get("bytes") != size:
            return f"/{name} has {place.get('bytes')} bytes"
        # gVisor says of these mounts `noexec` alone; it honours no setuid file anywhere.
        unsafe = not (place["nosuid"] and place["nodev"]) and not seen["own_kernel"]
        if unsafe or place["noexec"] != noexec:
            return f"/{name} is mounted with other flags"
    return ""


def _shm(seen: Facts) -> str:
    size = seen["shm"]["bytes"]
    return "" if size == limits.SHM_BYTES else f"shared memory has {size} bytes"


def _ulimits(seen: Facts) -> str:
    wanted = {
        "core": 0,
        "fsize": limits.TMP_BYTES,
        "memlock": 64 * 1024,
        "nofile": limits.OPEN_FILES,
        "msgqueue": 0,
    }
    wrong = [name for name, value in wanted.items() if seen["limits"][name] != [value, value]]
    return f"limits not set: {', '.join(wrong)}" if wrong else ""


def _cpus(seen: Facts) -> str:
    if seen["cpus"] != 1:
        return f"a container of one CPU sees {seen['cpus']}"
    if seen["own_kernel"]:
        return ""  # one core is all that it can use; a quota below is the engine's cgroup's
    quota = seen["cpu_quota"].split()
    return "" if quota and quota[0] not in ("max", "-1") else "no CPU quota is set"


def _memory_settings(seen: Facts) -> str:
    memory, swap = MEMORY_MIB * MIB, seen["swap"]
    if seen["memory"] != str(memory):
        return f"the memory limit is {seen['memory'] or 'not visible'}"
    # v1 counts memory and swap together, v2 swap alone; an empty one has no swap to account for.
    return "" if swap in (str(memory), "0", "") else f"swap is limited to {swap}"


def _oom_score(seen: Facts) -> str:
    adjusted = seen["oom_score_adj"]
    return "" if adjusted >= 900 else f"oom_score_adj is {adjusted}"


def _environment(seen: Facts) -> str:
    more = set(seen["environment"]) - _EXEC_ENVIRONMENT - _ENGINE_ENVIRONMENT
    return f"variables {', '.join(sorted(more))}" if more else ""


def _cgroups(seen: Facts) -> str:
    shown = {path for path in seen["cgroups"] if path != "/"}
    return f"paths of the host's cgroups: {sorted(shown)[:2]}" if shown else ""


def _devices(seen: Facts) -> str:
    known = _DEVICES | (_OWN_KERNEL_DEVICES if seen["own_kernel"] else set())
    more = {name for name in set(seen["devices"]) - known if not name.startswith("nvidia")}
    if seen["docker_socket"]:
        return "the engine's socket is in the container"
    return f"devices {', '.join(sorted(more))}" if more else ""


FACT_CHECKS: dict[str, Callable[[Facts], str]] = {
    "user": _user,
    "privileges": _privileges,
    "sockets": _sockets,
    "network": _network,
    "read_only": _root,
    "tmpfs": _tmpfs,
    "shm": _shm,
    "ulimits": _ulimits,
    "cpus": _cpus,
    "memory_settings": _memory_settings,
    "oom_score": _oom_score,
    "environment": _environment,
    "cgroup_namespace": _cgroups,
    "devices": _devices,
}
"""Checks of what `facts` has seen."""

UNSEEN = {
    "memory_settings": "a container sees nothing of its cgroup; `memory` tries the limit",
    "oom_score": "a container sees a value of its own kernel's, not the engine's",
    "cgroup_namespace": "a container sees cgroups of its own kernel's, none of the host's",
}
"""Checks that say nothing where a runtime brings a kernel of its own, and why."""


# ---- what has to be tried ---------------------------------------------------------------------


def seccomp(host: Host) -> str:
    """No call that must be denied is answered, in no ABI, with the list of either agent role."""
    for role in (Role.trainer, Role.predictor):
        tried = attempts(locks=role is Role.trainer)
        # A minute: each call of another ABI ends a process, which takes long under gVisor.
        allowed = _said(run_program(host, "calls", json.dumps(tried), role=role, seconds=60))
        if allowed:
            return f"a {role} is not refused: {', '.join(allowed)}"
    return ""


def timer(host: Host) -> str:
    """A program that ignores every signal and forks is dead when its time is up, not before."""
    probe = run_program(host, "stubborn", seconds=1.0)
    late = probe.seconds - 1.0
    if late < -0.2:
        return f"a program of 1 s was dead {-late:.2f} s before its time"
    # A runtime with a kernel of its own takes longer to end: the program is dead before it is.
    most = 1.5 if host.config.runtime else 0.5
    return "" if late < most else f"a stubborn program lived {late:.2f} s over its time"


def unarmed(host: Host) -> str:
    """A container whose sandbox is lost before it was armed ends by itself."""
    with idle(host) as container:
        container.abandon()
        dead = host.engine.dead_within(container.id, 5)
        return "" if dead else "an abandoned container goes on waiting"


def stays_dead(host: Host) -> str:
    """A container that has ended is not started again."""
    with idle(host) as container:
        container.abandon()
        time.sleep(1.5)
        return "a dead container was started again" if container.alive() else ""


def engine_side(host: Host) -> str:
    """The engine finds it by its label, keeps no log of it, and runs nothing else in it."""
    with idle(host) as container:
        labels = {LABEL + "instance": host.instance, LABEL + "role": "probe"}
        if container.id not in {found["Id"] for found in host.engine.containers(labels)}:
            return "the reaper would not find a container"
        if host.engine.keeps_log(container.id):
            return "the engine keeps a log of the container's streams"
        state = host.engine.inspect(container.id)["State"]
        return "a health check runs in the container" if state.get("Health") else ""


@contextlib.contextmanager
def idle(host: Host) -> Iterator[RoleContainer]:
    """A probe container that was started and never armed."""
    order = probe_order(host, host.engine.image(host.config.agent_image).id)
    container = RoleContainer(host.engine, order, host.uids)
    try:
        container.start_program(["/bin/sleep", "30"])
        yield container
    finally:
        put_away(container)


def memory(host: Host) -> str:
    """A hog is killed, and the engine tells it from a crash."""
    probe = run_program(host, "hog", MEMORY_MIB * MIB)
    if "survived" in probe.output:
        return "a program got four times its memory"
    return "" if probe.out_of_memory else "the engine does not tell why a hog died"


def processes(host: Host) -> str:
    """A fork bomb is stopped, or ends its container; orphans are reaped."""
    bomb = run_program(host, "bomb", limits.PIDS + 64)
    if not bomb.output.startswith("children") and bomb.exit_code != 0:
        # Under gVisor the limit is one of the host's threads, and memory bounds what runs on them:
        # the bomb takes the container along.
        bomb = run_program(host, "bomb", 1)
    output = bomb.output.split()
    said = dict(zip(output[::2], output[1::2], strict=False))
    if int(said.get("children", 1 << 30)) > limits.PIDS:
        return f"{said.get('children')} processes were started"
    return "" if said.get("zombies") == "0" else f"{said.get('zombies')} zombies stay"


def quotas(host: Host) -> str:
    """Places to write are full when they should be."""
    places = {"/tmp": limits.TMP_BYTES, "/dev/shm": limits.SHM_BYTES}  # noqa: S108
    # Files in a tmpfs count as memory: with more of both than this, memory would be the limit.
    room = 4 * sum(places.values()) // MIB
    output = run_program(host, "fill", "bytes", *places, memory_mib=room).output
    rows = [line.split() for line in output.splitlines()]
    if [row[0] for row in rows] != list(places):
        return f"the probe said: {output[-200:] or 'nothing'}"
    for place, written in rows:
        if int(written) > places[place]:
            return f"{place} took {written} bytes"
    return ""


def gpu(host: Host) -> str:
    """A container is given the GPUs that trials are to use."""
    missing = set(host.config.gpus or ()) - set(seen := listed_gpus(host))
    if missing:
        return f"a container is not given {', '.join(sorted(missing))}"
    return "" if seen else "the engine has NVIDIA's runtime, and gives a container no GPU"


TRIED_CHECKS: dict[str, Callable[[Host], str]] = {
    "seccomp": seccomp,
    "timer": timer,
    "unarmed": unarmed,
    "stays_dead": stays_dead,
    "engine_side": engine_side,
    "memory": memory,
    "processes": processes,
    "quotas": quotas,
    "held_out": held_out,
}
"""Checks that take a container each, or a few."""

SETTINGS: dict[str, tuple[str, ...]] = {
    "user": ("User",),
    "privileges": ("HostConfig.CapDrop", "HostConfig.SecurityOpt"),
    "seccomp": ("HostConfig.SecurityOpt",),
    "sockets": ("HostConfig.SecurityOpt",),
    "network": ("HostConfig.NetworkMode",),
    "read_only": ("HostConfig.ReadonlyRootfs",),
    "tmpfs": ("HostConfig.Tmpfs",),
    "shm": ("HostConfig.IpcMode",),
    "ulimits": ("HostConfig.Ulimits",),
    "cpus": ("HostConfig.NanoCpus", "HostConfig.CpusetCpus"),
    "memory_settings": ("HostConfig.MemorySwap",),
    "oom_score": ("HostConfig.OomScoreAdj",),
    "environment": ("Env",),
    "cgroup_namespace": ("HostConfig.CgroupnsMode",),
    "timer": ("Cmd", "OpenStdin"),
    "unarmed": ("StdinOnce",),
    "stays_dead": ("HostConfig.RestartPolicy",),
    "engine_side": ("Labels", "Healthcheck", "HostConfig.LogConfig"),
    "memory": ("HostConfig.Memory",),
    "processes": ("HostConfig.Init", "HostConfig.PidsLimit"),
    "quotas": ("HostConfig.Tmpfs", "HostConfig.ShmSize"),
    "held_out": ("HostConfig.Mounts",),
}
"""The policy's settings that a check tries: what a runtime does not enforce is told by name."""
