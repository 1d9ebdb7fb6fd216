"""What a program of a role container can see and do, as one JSON line on stderr."""

import ctypes
import errno
import json
import os
import resource
import socket
import sys
from pathlib import Path


def can_open(family: int) -> bool:
    """Whether a socket of this family can be made."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET, socket.SOCK_RAW):
        try:
            socket.socket(family, kind).close()
        except OSError:
            continue
        return True
    return False


def is_up(interface: str) -> bool:
    """Whether it is more than loopback, and not known to be down.

    Some kernels put fallback tunnels into every namespace; they are down, and stay so.
    """
    flags = first_text(f"/sys/class/net/{interface}/flags")
    return interface != "lo" and (not flags or bool(int(flags, 16) & 1))


def reaches_out() -> str:
    """Empty if no address but loopback can be reached, else what answered."""
    # Two lines of heading. gVisor has no folder of interfaces.
    rows = Path("/proc/net/dev").read_text().splitlines()[2:]
    interfaces = sorted(name for row in rows if is_up(name := row.split(":")[0].strip()))
    if interfaces:
        return f"interfaces {interfaces}"
    if not can_open(socket.AF_INET):
        return ""
    for address in ("192.0.2.1", "172.17.0.1"):
        with socket.socket() as probe:
            probe.settimeout(0.5)
            code = probe.connect_ex((address, 80))
            # gVisor's network stack says EHOSTUNREACH where it has loopback alone.
            nowhere = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EPERM, errno.EACCES)
            if code not in nowhere:
                return f"{address}: {errno.errorcode.get(code, code)}"
    return ""


def status() -> dict[str, str]:
    """/proc/self/status as a dict."""
    rows = (line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {name: value.strip() for name, value in rows}


def room(path: str) -> dict[str, int]:
    """Size, inodes and flags of a mount."""
    state = os.statvfs(path)
    return {
        "bytes": state.f_blocks * state.f_frsize,
        "inodes": state.f_files,
        "noexec": bool(state.f_flag & os.ST_NOEXEC),
        "nosuid": bool(state.f_flag & os.ST_NOSUID),
        "nodev": bool(state.f_flag & os.ST_NODEV),
    }


def first_text(*paths: str) -> str:
    """The first of these files that can be read."""
    for path in paths:
        try:
            return Path(path).read_text().strip()
        except OSError:
            continue
    return ""


def can_kill_init() -> bool:
    """Whether the timer's process, or its parent, would take a signal from here."""
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) == os.getpid():
            continue
        try:
            os.kill(int(process.name), 0)
        except (PermissionError, ProcessLookupError):
            continue
        return True
    return False


def main() -> None:
    mine = status()
    facts = {
        "uid": os.getuid(),
        "init_uid": os.stat("/proc/1").st_uid,
        "kills_init": can_kill_init(),
        "init": Path("/proc/1/comm").read_text().strip(),
        "capabilities": mine["CapBnd"] + mine["CapEff"] + mine["CapPrm"],
        "kernel": os.uname().release,
        "no_new_privileges": ctypes.CDLL(None).prctl(39, 0, 0, 0, 0),  # PR_GET_NO_NEW_PRIVS
        "seccomp": mine.get("Seccomp", ""),
        "families": [f for f in (2, 10, 16, 17, 38, 40) if can_open(f)],
        "reaches": reaches_out(),
        "root_read_only": bool(os.statvfs("/").f_flag & os.ST_RDONLY),
        "tmp": room("/tmp"),
        "cache": room("/cache") if Path("/cache").exists() else None,
        "shm": room("/dev/shm"),
        "limits": {
            "core": resource.getrlimit(resource.RLIMIT_CORE),
            "fsize": resource.getrlimit(resource.RLIMIT_FSIZE),
            "memlock": resource.getrlimit(resource.RLIMIT_MEMLOCK),
            "nofile": resource.getrlimit(resource.RLIMIT_NOFILE),
            "msgqueue": resource.getrlimit(12),  # RLIMIT_MSGQUEUE
        },
        "cpus": len(os.sched_getaffinity(0)),
        "cpu_quota": first_text(
            "/sys/fs/cgroup/cpu.max",
            "/sys/fs/cgroup/cpu/cpu.cfs_quota_us",
            "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us",
        ),
        "memory": first_text(
            "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"
        ),
        "swap": first_text(
            "/sys/fs/cgroup/memory.swap.max",
            "/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes",
        ),
        "oom_score_adj": int(Path("/proc/self/oom_score_adj").read_text()),
        "environment": sorted(os.environ),
        "cgroups": [line.split(":", 2)[2] for line in first_text("/proc/self/cgroup").splitlines()],
        "mounts": sorted(
            line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()
        ),
        "devices": sorted(path.name for path in Path("/dev").iterdir() if path.is_char_device()),
        "docker_socket": any(
            Path(path).exists() for path in ("/var/run/docker.sock", "/run/docker.sock")
        ),
    }
    print(json.dumps(facts), file=sys.stderr)


main()
