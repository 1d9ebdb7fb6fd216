"""The seccomp profile of role containers: what a Python program with torch needs, by name.

An allow-list: a system call that no rule names answers EPERM, one that a newer kernel adds too,
and the whole 32-bit ABI ends the caller. `denied.py` has the calls that are left out on purpose,
with reasons; `RULES` has those that are let in.

Where a call is refused by its argument, the rule lists what is allowed, never what is not: the
kernel looks at the lower half of most arguments, a filter at all of it, so a number with a bit in
its upper half passes by any rule that says "not this one".

A predictor gets no locks, for a lock on the artifact is seen by whoever mounts it. `flock` answers
0 there, and locks nothing: torch.compile locks its cache, which is in a folder that no other
container has, and fails where that is refused.

Values: Linux 6.x `include/uapi/linux/sched.h`, `socket.h`, `fcntl.h`, `asm-generic/fcntl.h`,
`asm-generic/mman-common.h` and `asm-generic/ioctls.h`; they are the same on amd64 and arm64.
"""

import json
from dataclasses import dataclass
from typing import Any

_NAMESPACES = 0x7E020000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET."""
_ENOSYS, _EOPNOTSUPP = 38, 95
_ADVICE = (0, 4, 8, 10, 11, 14, 15, 16, 17, 18, 19)
"""MADV_NORMAL, DONTNEED, FREE, DONTFORK, DOFORK, HUGEPAGE, NOHUGEPAGE, DONTDUMP, DODUMP,
WIPEONFORK and KEEPONFORK."""
_DESCRIPTORS = (0, 1, 2, 3, 4, 1030, 1031, 1032, 1033, 1034)
"""F_DUPFD, GETFD, SETFD, GETFL, SETFL, DUPFD_CLOEXEC, SETPIPE_SZ, GETPIPE_SZ, ADD_SEALS and
GET_SEALS."""
_RECORD_LOCKS = (5, 6, 7, 36, 37, 38)
"""F_GETLK, SETLK, SETLKW, OFD_GETLK, OFD_SETLK and OFD_SETLKW."""
_REQUESTS = (0x5401, 0x540F, 0x5410, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
"""TCGETS, TIOCGPGRP, TIOCSPGRP (the engine's init ends without it), TIOCGWINSZ, FIONREAD, FIONBIO,
FIONCLEX and FIOCLEX."""


@dataclass(frozen=True)
class Rule:
    """Calls that are let in, or answered by an error of their own, and why."""

    why: str
    calls: str
    argument: int = 0
    """Which argument is looked at, from 0."""
    values: tuple[int, ...] = ()
    """What it may be; empty for anything."""
    clear: int = 0
    """Bits of it that must not be set."""
    answer: int | None = None
    """An error's number to answer instead of doing it, 0 for success; None lets it in."""

    def entries(self) -> list[dict[str, Any]]:
        """The rule in the engine's format; none where it lets in whatever the arguments."""
        entry: dict[str, Any] = {"names": self.calls.split(), "action": "SCMP_ACT_ALLOW"}
        if self.answer is not None:
            return [entry | {"action": "SCMP_ACT_ERRNO", "errnoRet": self.answer}]
        conditions: list[dict[str, Any]] = [{"value": v, "op": "SCMP_CMP_EQ"} for v in self.values]
        if self.clear:
            conditions = [{"value": self.clear, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]
        return [entry | {"args": [{"index": self.argument} | test]} for test in conditions]


ALLOWED = (
    Rule(
        "files: those of the image to read, those below /tmp, /cache and the artifact to write",
        """
        access chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat
        faccessat2 fchdir fchmod fchmodat fchmodat2 fchown fchownat fdatasync fgetxattr flistxattr
        fstat fstatfs fsync ftruncate futimesat getcwd getdents getdents64 getxattr lchown
        lgetxattr link linkat listxattr llistxattr lseek lstat memfd_create mkdir mkdirat mknod
        mknodat newfstatat open openat openat2 pipe pipe2 pread64 preadv pwrite64 pwritev pwritev2
        read readlink readlinkat readv rename renameat renameat2 rmdir sendfile splice stat statfs
        statx symlink symlinkat sync sync_file_range syncfs tee truncate umask unlink unlinkat
        utime utimensat utimes vmsplice write writev
        """,
    ),
    Rule(
        "memory of its own, counted by the container's limit",
        """
        brk membarrier mlock mlock2 mlockall mmap mprotect mremap msync munlock munlockall munmap
        pkey_alloc pkey_free pkey_mprotect
        """,
    ),
    Rule(
        "processes and threads of its own, their limits and signals; what touches another user's "
        "is refused by the kernel",
        """
        arch_prctl capget capset execve execveat exit exit_group fork futex futex_waitv
        get_robust_list get_thread_area getcpu getegid geteuid getgid getgroups getpgid getpgrp
        getpid getppid getpriority getresgid getresuid getrlimit getrusage getsid gettid getuid
        ioprio_get ioprio_set kill landlock_add_rule landlock_create_ruleset
        landlock_restrict_self pause pidfd_open pidfd_send_signal prctl prlimit64 restart_syscall
        rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend
        rt_sigtimedwait rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min
        sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval
        sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp
        set_robust_list set_thread_area set_tid_address setfsgid setfsuid setgid setgroups setpgid
        setpriority setregid setresgid setresuid setreuid setrlimit setsid setuid sigaltstack
        sysinfo tgkill times tkill uname vfork wait4 waitid waitpid
        """,
    ),
    Rule(
        "reading clocks, and timers of its own",
        """
        alarm clock_getres clock_gettime clock_nanosleep getitimer gettimeofday nanosleep
        setitimer time timer_create timer_delete timer_getoverrun timer_gettime timer_settime
        timerfd_create timerfd_gettime timerfd_settime
        """,
    ),
    Rule(
        "waiting for several things at once",
        """
        epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2
        poll ppoll pselect6 select signalfd signalfd4
        """,
    ),
    Rule(
        "sockets between its own processes: data loader workers pass tensors by them",
        """
        accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmmsg
        recvmsg sendmmsg sendmsg sendto setsockopt shutdown socketpair
        """,
    ),
    Rule("random numbers", "getrandom"),
)
"""Let in whatever their arguments."""

CONDITIONAL = (
    Rule("threads and processes, in no namespace of their own", "clone", clear=_NAMESPACES),
    Rule(
        "space that is allocated and unwritten could be changed by reading it: libc writes instead",
        "fallocate",
        answer=_EOPNOTSUPP,
    ),
    Rule(
        "advice on memory of its own; none that loads, throws out, merges or collapses pages of "
        "a file, which others then find so",
        "madvise",
        argument=2,
        values=_ADVICE,
    ),
    Rule(
        "descriptors and pipes; no F_NOTIFY and no lease, which tell who uses a file, and no hint "
        "that stays with it",
        "fcntl",
        argument=1,
        values=_DESCRIPTORS,
    ),
    # 0 and 8: PER_LINUX and PER_LINUX32; 0xffffffff asks what is set.
    Rule(
        "asking for it; none that turns randomisation off",
        "personality",
        values=(0, 8, 0xFFFFFFFF),
    ),
    Rule(
        "sockets of AF_UNIX: their buffers count as the container's memory", "socket", values=(1,)
    ),
)
"""Let in by their arguments, or answered by an error that libraries know."""

NO_CLONE3 = Rule(
    "its flags are in memory, where no filter looks: libc falls back to `clone`",
    "clone3",
    answer=_ENOSYS,
)
CLONE3 = Rule(
    "for a runtime that answers everything with EPERM, as gVisor does, after which libc makes no "
    "thread at all: what runs by this list is our own code",
    "clone3",
)
NETWORK = Rule("the prepare role downloads: AF_INET and AF_INET6", "socket", values=(2, 10))
LOCKS = (
    Rule("libraries lock their caches", "flock"),
    Rule("the same", "fcntl", argument=1, values=_RECORD_LOCKS),
)
NO_LOCKS = Rule("no lock on the artifact, which others mount: nothing is done", "flock", answer=0)
REQUESTS = Rule(
    "pipes and sockets, and whether something is a terminal; not those that file systems take: "
    "ext4 keeps a state with a file that is read-only",
    "ioctl",
    argument=1,
    values=_REQUESTS,
)
GPU_REQUESTS = Rule("a GPU's driver is spoken to by them, in numbers of its own", "ioctl")


def rules(
    *, networked: bool = False, locks: bool = True, gpu: bool = False, answers: bool = True
) -> tuple[Rule, ...]:
    """The rules of a profile; for the arguments see `profile`."""
    return (
        *ALLOWED,
        *CONDITIONAL,
        NO_CLONE3 if answers else CLONE3,
        *([NETWORK] if networked else []),
        *(LOCKS if locks else [NO_LOCKS]),
        GPU_REQUESTS if gpu else REQUESTS,
    )


def profile(
    *, networked: bool = False, locks: bool = True, gpu: bool = False, answers: bool = True
) -> dict[str, Any]:
    """The profile in the engine's format.

    `networked` for the prepare role alone, `locks` for all but predictors, `gpu` where the
    container has one, `answers` where the errors that rules name reach a program.
    """
    chosen = rules(networked=networked, locks=locks, gpu=gpu, answers=answers)
    whatever = sorted(name for rule in chosen if not rule.entries() for name in rule.calls.split())
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
        "syscalls": [
            {"names": whatever, "action": "SCMP_ACT_ALLOW"},
            *(entry for rule in chosen for entry in rule.entries()),
        ],
    }


def profile_json(
    *, networked: bool = False, locks: bool = True, gpu: bool = False, answers: bool = True
) -> str:
    """The profile as the engine takes it in a security option."""
    chosen = profile(networked=networked, locks=locks, gpu=gpu, answers=answers)
    return json.dumps(chosen, separators=(",", ":"), sort_keys=True)
