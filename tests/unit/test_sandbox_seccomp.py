"""The system calls of role containers, as a list."""

import json

import pytest

from sandbox.denied import ABIS, BY_ARGUMENT, DENIED, REFUSED, REFUSED_LOCKS, attempts
from sandbox.seccomp import profile, profile_json, rules

NAMED = """
ptrace process_vm_readv process_vm_writev keyctl add_key request_key io_uring_setup io_uring_enter
io_uring_register bpf perf_event_open userfaultfd unshare setns mount umount2 pivot_root chroot
fadvise64 readahead mincore cachestat preadv2 inotify_init1 inotify_add_watch fanotify_init
"""
"""What HARDENING and DESIGN name, families spelt out."""

everyone = pytest.mark.parametrize(
    "chosen",
    [{}, {"locks": False}, {"networked": True}, {"gpu": True}, {"locks": False, "gpu": True}],
    ids=str,
)


def _named(**chosen: bool) -> set[str]:
    return {name for rule in profile(**chosen)["syscalls"] for name in rule["names"]}


def _allowed(**chosen: bool) -> list[str]:
    """What is let in whatever its arguments."""
    names: list[str] = profile(**chosen)["syscalls"][0]["names"]
    return names


@everyone
@pytest.mark.parametrize("group", DENIED)
def test_what_must_be_denied_is_in_no_rule(group: str, chosen: dict[str, bool]) -> None:
    """A denied call is named by no rule of any role, not even one with conditions."""
    assert set(DENIED[group].names()) & _named(**chosen) == set()


def test_what_the_design_names_is_in_a_group() -> None:
    """Each call that has to be denied is one that the doctor tries."""
    assert set(NAMED.split()) <= {name for group in DENIED.values() for name in group.names()}


def test_every_rule_and_every_group_has_its_reason() -> None:
    """Nothing is let in or kept out without a word on why."""
    every = {rule for locks in (False, True) for rule in rules(locks=locks)}
    every |= set(rules(networked=True, gpu=True))
    assert all(rule.why and rule.calls.split() for rule in every)
    assert all(group.why.endswith(".") for group in (*DENIED.values(), BY_ARGUMENT))


@pytest.mark.parametrize("abi", ABIS)
def test_each_number_is_tried_once(abi: str) -> None:
    """No call is in two groups, and no two calls of an ABI have one number."""
    names = [name for group in (*DENIED.values(), BY_ARGUMENT) for name in group.names()]
    assert len(names) == len(set(names))
    numbers = [n for group in (*DENIED.values(), BY_ARGUMENT) for n in group.numbers(abi).values()]
    assert len(numbers) == len(set(numbers)) > 90


def test_a_predictor_is_tried_for_locks_too() -> None:
    """What is refused to predictors alone is tried in a predictor alone."""
    trainers, predictors = attempts(locks=True), attempts(locks=False)
    for abi in ABIS:
        assert {a[0] for a in predictors[abi]} - {a[0] for a in trainers[abi]} == {
            "flock", "F_GETLK", "F_SETLK", "F_SETLKW", "F_OFD_GETLK", "F_OFD_SETLK", "F_OFD_SETLKW",
        }  # fmt: skip


def _values(call: str, **chosen: bool) -> set[int]:
    """What may be passed where the list looks at an argument of this call."""
    entries = [rule for rule in profile(**chosen)["syscalls"] if call in rule["names"]]
    assert all(rule["action"] == "SCMP_ACT_ALLOW" for rule in entries)
    tests = [test for rule in entries for test in rule["args"]]
    assert {test["op"] for test in tests} == {"SCMP_CMP_EQ"}
    return {test["value"] for test in tests}


@everyone
def test_arguments_are_listed_by_what_is_allowed(chosen: dict[str, bool]) -> None:
    """A list of refused arguments is passed by a bit that the kernel does not look at."""
    operators = {t["op"] for rule in profile(**chosen)["syscalls"] for t in rule.get("args", [])}
    assert operators == {"SCMP_CMP_EQ", "SCMP_CMP_MASKED_EQ"}


@everyone
def test_what_is_refused_by_argument_is_not_among_the_values(chosen: dict[str, bool]) -> None:
    """Advice, locks, leases, notes and requests that must be refused are in no rule."""
    refused = REFUSED if chosen.get("locks", True) else REFUSED | REFUSED_LOCKS
    place = {"fcntl": 1, "madvise": 2, "ioctl": 1, "personality": 0}
    for name, (call, arguments) in refused.items():
        if call in place and not (call == "ioctl" and chosen.get("gpu")):
            assert arguments[place[call]] not in _values(call, **chosen), name


def test_locks_are_for_all_but_predictors() -> None:
    """A trainer may lock its caches; in a predictor `flock` does nothing, and says that it did."""
    assert "flock" in _allowed()
    assert {5, 6, 7, 36, 37, 38} <= _values("fcntl")
    (rule,) = [r for r in profile(locks=False)["syscalls"] if "flock" in r["names"]]
    assert (rule["action"], rule["errnoRet"]) == ("SCMP_ACT_ERRNO", 0)


def test_what_is_not_named_is_refused() -> None:
    """The list is one of what is allowed: a call of a newer kernel is denied."""
    assert profile()["defaultAction"] == "SCMP_ACT_ERRNO"
    assert {rule["action"] for rule in profile()["syscalls"]} == {
        "SCMP_ACT_ALLOW",
        "SCMP_ACT_ERRNO",
    }


@everyone
def test_the_allowed_names_are_sorted_and_single(chosen: dict[str, bool]) -> None:
    """A name is there once, so that taking it out takes it out."""
    names = _allowed(**chosen)
    assert names == sorted(set(names))
    assert all(name.replace("_", "").isalnum() and name.islower() for name in names)
    rest = profile(**chosen)["syscalls"][1:]
    conditional = {name for rule in rest for name in rule["names"]}
    assert conditional & set(names) == set(), "a condition that another rule waives"


@everyone
def test_what_python_needs_is_allowed(chosen: dict[str, bool]) -> None:
    """Files, memory, threads, time and waiting work, or nothing would start."""
    needed = "read write openat mmap futex execve exit_group clock_gettime epoll_wait getrandom"
    assert set(needed.split()) <= set(_allowed(**chosen))


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
