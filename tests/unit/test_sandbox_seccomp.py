"""The system calls of role containers, as a list."""

import json

import pytest

from sandbox.seccomp import allowed, profile, profile_json

# HARDENING.md and DESIGN.md name these; some by a family, of which every member is here.
DENIED = {
    "another process": "ptrace process_vm_readv process_vm_writev pidfd_getfd kcmp process_madvise",
    "keys": "keyctl add_key request_key",
    "io_uring": "io_uring_setup io_uring_enter io_uring_register",
    "kernel surface": "bpf perf_event_open userfaultfd modify_ldt lookup_dcookie nfsservctl "
    "vm86 vm86old uselib sysfs _sysctl remap_file_pages",
    "namespaces": "unshare setns mount umount umount2 pivot_root chroot move_mount open_tree "
    "fsopen fsmount fsconfig fspick mount_setattr name_to_handle_at open_by_handle_at",
    "page cache": "fadvise64 fadvise64_64 arm_fadvise64_64 readahead mincore cachestat "
    "preadv2 inotify_init inotify_init1 inotify_add_watch inotify_rm_watch "
    "fanotify_init fanotify_mark",
    "stores": "shmget shmat shmctl shmdt semget semop semctl semtimedop msgget msgsnd msgrcv "
    "msgctl mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr",
    "the host": "reboot init_module finit_module delete_module create_module kexec_load "
    "kexec_file_load swapon swapoff settimeofday clock_settime clock_settime64 clock_adjtime "
    "adjtimex stime sethostname setdomainname syslog acct quotactl quotactl_fd iopl ioperm vhangup",
    "32-bit": "socketcall ipc readdir _newselect _llseek clock_gettime64 mmap2 fcntl64 stat64",
}


@pytest.mark.parametrize("group", DENIED)
def test_what_must_be_denied_is_in_no_rule(group: str) -> None:
    """A denied call is named by no rule at all, not even one with conditions."""
    named = {name for rule in profile()["syscalls"] for name in rule["names"]}
    assert set(DENIED[group].split()) & named == set()


def test_what_is_not_named_is_refused() -> None:
    """The list is one of what is allowed: a call of a newer kernel is denied."""
    assert profile()["defaultAction"] == "SCMP_ACT_ERRNO"
    assert {rule["action"] for rule in profile()["syscalls"]} == {
        "SCMP_ACT_ALLOW",
        "SCMP_ACT_ERRNO",
    }


def test_the_allowed_names_are_sorted_and_single() -> None:
    """A name is there once, so that taking it out takes it out."""
    names = allowed()
    assert names == sorted(set(names))
    assert all(name.replace("_", "").isalnum() and name.islower() for name in names)
    conditional = {name for rule in profile()["syscalls"][1:] for name in rule["names"]}
    assert conditional & set(names) == set(), "a condition that another rule waives"


def test_what_python_needs_is_allowed() -> None:
    """Files, memory, threads, time and waiting work, or nothing would start."""
    needed = "read write openat mmap futex execve exit_group clock_gettime epoll_wait getrandom"
    assert set(needed.split()) <= set(allowed())


def test_only_64_bit_architectures() -> None:
    """No rule lets the 32-bit tables in, where numbers mean other calls."""
    assert profile()["architectures"] == ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"]


def _rules(name: str) -> list[dict[str, object]]:
    return [rule for rule in profile()["syscalls"] if name in rule["names"]]


def test_clone_makes_no_namespace() -> None:
    """`clone` is allowed only when every namespace flag is clear."""
    flags = {
        "NEWNS": 0x00020000,
        "NEWCGROUP": 0x02000000,
        "NEWUTS": 0x04000000,
        "NEWIPC": 0x08000000,
        "NEWUSER": 0x10000000,
        "NEWPID": 0x20000000,
        "NEWNET": 0x40000000,
    }
    (rule,) = _rules("clone")
    assert rule["names"] == ["clone"]
    assert rule["action"] == "SCMP_ACT_ALLOW"
    assert rule["args"] == [
        {"index": 0, "value": sum(flags.values()), "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}
    ]
    threads = 0x003D0F00  # what pthread_create asks for
    assert threads & sum(flags.values()) == 0


def test_clone3_is_not_there() -> None:
    """Its flags are in memory, where no filter looks: libc must fall back to `clone`."""
    (rule,) = _rules("clone3")
    assert (rule["action"], rule["errnoRet"]) == ("SCMP_ACT_ERRNO", 38)


@pytest.mark.parametrize(("networked", "families"), [(False, (1,)), (True, (1, 2, 10))])
def test_sockets_of_few_families(networked: bool, families: tuple[int, ...]) -> None:
    """AF_UNIX, and with a network AF_INET and AF_INET6; `socket` is in no other rule."""
    rules = [r for r in profile(networked=networked)["syscalls"] if "socket" in r["names"]]
    assert all(rule["action"] == "SCMP_ACT_ALLOW" for rule in rules)
    assert [rule["args"] for rule in rules] == [
        [{"index": 0, "value": family, "op": "SCMP_CMP_EQ"}] for family in families
    ]


def test_the_personality_stays() -> None:
    """A process can ask for its personality and set the plain ones: not turn randomisation off."""
    values = [rule["args"][0]["value"] for rule in _rules("personality")]  # type: ignore[index]
    assert values == [0, 8, 0xFFFFFFFF]


def test_the_text_is_the_same_each_time() -> None:
    """What is compared with the engine's answer byte by byte must not change between calls."""
    assert profile_json() == profile_json()
    assert json.loads(profile_json()) == profile()
    assert profile_json().isascii()
    assert " " not in profile_json()
