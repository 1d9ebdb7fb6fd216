"""The seccomp profile of role containers: what a Python program with torch needs, by name.

An allow-list: a system call that is not here answers EPERM, one that a newer kernel adds too.
Not here, and why: ptrace, process_vm_*, pidfd_getfd, kcmp (reading or stopping another process,
the timer above all); keyctl, add_key, request_key (a store that outlives the container);
io_uring_* (bypasses these very filters); bpf, perf_event_open, userfaultfd (kernel surface);
unshare, setns, mount, pivot_root, chroot, open_by_handle_at (getting out); fanotify and inotify,
fadvise, readahead, mincore, cachestat, preadv2 (page cache as a channel between containers);
SysV IPC and POSIX queues (a store again); quota, swap, module, reboot and clock setters; and the
whole 32-bit ABI. `clone` with a namespace flag is refused, `clone3` answers ENOSYS so that libc
falls back to `clone`; `fallocate` answers EOPNOTSUPP, so that libc writes instead: space that is
allocated and unwritten could be changed by reading it. `madvise` may not collapse pages, which
does the same; mbind, get_mempolicy and set_mempolicy are not here, for the kernel keeps memory
policies with a file that is read-only. Sockets only of AF_UNIX, whose buffers count as the
container's memory; those of AF_INET on loopback do not everywhere, and would be memory without a
limit. The prepare role, which has a network, gets AF_INET and AF_INET6 as well.

Numbers of flags and the table of names: Linux 6.x `include/uapi/linux/sched.h`, `socket.h`.
"""

import json
from typing import Any

_FILES = """
access chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2
fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr
flock fstat fstatfs fsync ftruncate futimesat getcwd getdents getdents64 getxattr lchown lgetxattr
link linkat listxattr llistxattr lseek lstat memfd_create mkdir mkdirat mknod mknodat newfstatat
open openat openat2 pipe pipe2 pread64 preadv pwrite64 pwritev pwritev2 read readlink readlinkat
readv rename renameat renameat2 rmdir sendfile splice stat statfs statx symlink symlinkat sync
sync_file_range syncfs tee truncate umask unlink unlinkat utime utimensat utimes vmsplice write
writev
"""
_MEMORY = """
brk membarrier mlock mlock2 mlockall mmap mprotect mremap msync munlock munlockall munmap
pkey_alloc pkey_free pkey_mprotect
"""
_PROCESSES = """
arch_prctl capget capset execve execveat exit exit_group fork futex futex_waitv get_robust_list
get_thread_area getcpu getegid geteuid getgid getgroups getpgid getpgrp getpid getppid getpriority
getresgid getresuid getrlimit getrusage getsid gettid getuid ioprio_get ioprio_set kill
landlock_add_rule landlock_create_ruleset landlock_restrict_self pause pidfd_open pidfd_send_signal
prctl prlimit64 restart_syscall rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo
rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sched_get_priority_max
sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler
sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield
seccomp set_robust_list set_thread_area set_tid_address setfsgid setfsuid setgid setgroups setpgid
setpriority setregid setresgid setresuid setreuid setrlimit setsid setuid sigaltstack sysinfo
tgkill times tkill uname vfork wait4 waitid waitpid
"""
_TIME = """
alarm clock_getres clock_gettime clock_nanosleep getitimer gettimeofday nanosleep setitimer time
timer_create timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create
timerfd_gettime timerfd_settime
"""
_WAITING = """
epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 poll
ppoll pselect6 select signalfd signalfd4
"""
_SOCKETS = """
accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmmsg recvmsg
sendmmsg sendmsg sendto setsockopt shutdown socketpair
"""
_OTHER = "getrandom ioctl"

_NAMESPACES = 0x7E020000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET."""
_ENOSYS, _EOPNOTSUPP = 38, 95
_MADV_COLLAPSE = 25
_LOCAL_FAMILIES = {"AF_UNIX": 1}
_NETWORK_FAMILIES = _LOCAL_FAMILIES | {"AF_INET": 2, "AF_INET6": 10}


def allowed() -> list[str]:
    """The names that are allowed whatever their arguments, sorted."""
    groups = (_FILES, _MEMORY, _PROCESSES, _TIME, _WAITING, _SOCKETS, _OTHER)
    return sorted({name for group in groups for name in group.split()})


def profile(*, networked: bool = False) -> dict[str, Any]:
    """The profile in the engine's format; `networked` for the prepare role alone."""
    families = _NETWORK_FAMILIES if networked else _LOCAL_FAMILIES
    rules: list[dict[str, Any]] = [
        {"names": allowed(), "action": "SCMP_ACT_ALLOW"},
        {
            "names": ["clone"],
            "action": "SCMP_ACT_ALLOW",
            "args": [{"index": 0, "value": _NAMESPACES, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}],
        },
        {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": _ENOSYS},
        {"names": ["fallocate"], "action": "SCMP_ACT_ERRNO", "errnoRet": _EOPNOTSUPP},
        {
            "names": ["madvise"],
            "action": "SCMP_ACT_ALLOW",
            "args": [{"index": 2, "value": _MADV_COLLAPSE, "op": "SCMP_CMP_NE"}],
        },
        # 0 and 8: PER_LINUX and PER_LINUX32; 0xffffffff asks what is set.
        *(
            {
                "names": ["personality"],
                "action": "SCMP_ACT_ALLOW",
                "args": [{"index": 0, "value": value, "op": "SCMP_CMP_EQ"}],
            }
            for value in (0, 8, 0xFFFFFFFF)
        ),
        *(
            {
                "names": ["socket"],
                "action": "SCMP_ACT_ALLOW",
                "args": [{"index": 0, "value": family, "op": "SCMP_CMP_EQ"}],
            }
            for family in families.values()
        ),
    ]
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
        "syscalls": rules,
    }


def profile_json(*, networked: bool = False) -> str:
    """The profile as the engine takes it in a security option."""
    return json.dumps(profile(networked=networked), separators=(",", ":"), sort_keys=True)
