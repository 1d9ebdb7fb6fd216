# /// attack
# group = "getting out"
# task = "tiny"
# expected = ["crash", "timeout"]
# tried = "tried"
# canaries = ['opened =~ \S']
# defences = ["HostConfig.SecurityOpt", "HostConfig.CapDrop", "unprivileged-uid"]
# control = "flip"
#
# [gvisor]
# because = "a priority is nothing that it schedules by, and such a node can't be opened"
# budget_seconds = 8
# memory_mib = 512
# canaries = ['opened =~ \b(?!mknod\b|nice\b)\w']
# ///
"""Attack: every door that leads out of a container: other users, namespaces, mounts, devices,
kernel interfaces with a record, tracing, raw sockets, files of the kernel and of the engine.

Expected: crash (it ends so, for brevity), with no door open.
Defence: HostConfig.SecurityOpt (the seccomp list, no-new-privileges), HostConfig.CapDrop, User.
Control: without the seccomp list some doors open; with root and its capabilities, others.
"""

import ctypes
import os
import socket
import stat
import sys

libc = ctypes.CDLL(None, use_errno=True)
X86 = os.uname().machine == "x86_64"
CALLS = {
    # name: (number on x86_64, number on aarch64, arguments)
    "io_uring": (425, 425, (1, ctypes.create_string_buffer(256))),
    "bpf": (321, 280, (0, ctypes.create_string_buffer(128), 128)),
    "perf": (298, 241, (ctypes.create_string_buffer(b"\1\0\0\0\x70", 128), 0, -1, -1, 0)),
    "userfaultfd": (323, 282, (1,)),
    "keyring": (250, 219, (0, -3, 1)),
    "inotify": (294, 26, (0,)),
    "mincore": (27, 232, None),
    "user_namespace": (272, 97, (0x10000000,)),
    "mount_namespace": (272, 97, (0x00020000,)),
    "pidfd_getfd": (438, 438, None),
    "handle": (303, 264, (-100, b"/", ctypes.create_string_buffer(b"\x80", 256),
                          ctypes.byref(ctypes.c_int()), 0)),
    "semaphore": (64, 190, (0, 1, 0o1600)),
    "shared_memory": (29, 194, (0, 4096, 0o1600)),
    "message_queue": (68, 186, (0, 0o1600)),
}  # fmt: skip
NO_ARGUMENTS = (-1, -1, -1, -1, -1)
FAMILIES = {"alg": 38, "vsock": 40, "netlink": 16, "packet": 17}


def child_opens(act):
    """Whether this works in a child, which then has what it got to itself."""
    child = os.fork()
    if child == 0:
        try:
            act()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def call(number, arguments):
    ctypes.set_errno(0)
    result = libc.syscall(number, *(arguments or NO_ARGUMENTS))
    # With senseless arguments any complaint but EPERM and ENOSYS means: it would have been heard.
    if result < 0 and (arguments is not None or ctypes.get_errno() in (1, 38)):
        raise OSError(ctypes.get_errno(), "refused")


def doors():
    for name, (x86, arm, arguments) in CALLS.items():
        number = x86 if X86 else arm
        yield name, lambda n=number, a=arguments: call(n, a)
    yield "ptrace", lambda: call(101 if X86 else 117, (0, 0, 0, 0))
    for name, family in FAMILIES.items():
        kind = socket.SOCK_RAW if name in ("netlink", "packet") else socket.SOCK_STREAM
        kind = socket.SOCK_SEQPACKET if name == "alg" else kind
        yield name, lambda f=family, k=kind: socket.socket(f, k)
    yield "raw", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    yield "setuid", lambda: os.setuid(0) if os.getuid() else 1 / 0
    yield "setgroups", lambda: os.setgroups([0])
    yield "chroot", lambda: os.chroot("/tmp")
    yield "chown", lambda: os.chown("/tmp", 12345, 12345)
    yield "mknod", lambda: os.mknod("/tmp/disk", stat.S_IFBLK | 0o600, os.makedev(254, 0))
    yield "nice", lambda: os.nice(-5)
    yield "sysrq", lambda: os.open("/proc/sysrq-trigger", os.O_WRONLY)
    yield "core_pattern", lambda: os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY)
    yield "kcore", lambda: os.read(os.open("/proc/kcore", os.O_RDONLY), 16)[0]
    yield "kmsg", lambda: os.open("/dev/kmsg", os.O_RDONLY)
    yield "mem", lambda: os.open("/dev/mem", os.O_RDONLY)
    for path in ("/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock"):
        yield path, lambda path=path: os.stat(path)
    for folder, _, names in os.walk("/sys/fs/cgroup"):
        for name in set(names) & {"release_agent", "cgroup.procs", "memory.limit_in_bytes"}:
            yield "cgroup", lambda path=f"{folder}/{name}": os.open(path, os.O_WRONLY)


def train(data, artifact, seed, seconds):
    tried, opened = 0, []
    for name, door in doors():
        tried += 1
        if child_opens(door):
            opened.append(name)
    for folder in ("/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/lib/openssh"):
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            path = os.path.join(folder, name)
            if os.path.exists(path) and os.stat(path).st_mode & (stat.S_ISUID | stat.S_ISGID):
                opened.append(path)
    for folder, _, names in os.walk("/dev"):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.exists(path) and stat.S_ISBLK(os.stat(path).st_mode):
                opened.append(path)
    sys.stderr.write(f"\ntried: {tried}\nopened: {' '.join(opened)}\n")
    raise RuntimeError("that was all")


def load(artifact):
    return None
