"""Advisory checks, on what an engine of Debian 12 once said; each broken by what it looks at."""

import json
from copy import deepcopy
from typing import Any

import pytest

from sandbox.api import Advisory, Verdict
from sandbox.doctor import AROUND_CHECKS, CHANNEL_CHECKS, Around
from sandbox.doctor.around import Finding

INFO: dict[str, Any] = json.loads("""{
  "CgroupVersion": "1", "DefaultRuntime": "runc", "MemTotal": 25276514304,
  "OperatingSystem": "Debian GNU/Linux 12 (bookworm)", "Plugins": {"Authorization": null},
  "Runtimes": {"io.containerd.runc.v2": {"path": "runc"}, "runc": {"path": "runc"}},
  "SecurityOptions": ["name=seccomp,profile=default"]
}""")
VERSION: dict[str, Any] = json.loads("""{
  "Platform": {"Name": ""}, "Version": "20.10.24+dfsg1",
  "Components": [
    {"Name": "Engine", "Version": "20.10.24+dfsg1", "Details": {"GitCommit": "5d6db84"}},
    {"Name": "containerd", "Version": "1.6.20~ds1",
     "Details": {"GitCommit": "1.6.20~ds1-1+deb12u3"}},
    {"Name": "runc", "Version": "1.1.5+ds1", "Details": {"GitCommit": "1.1.5+ds1-1+deb12u1"}},
    {"Name": "docker-init", "Version": "0.19.0", "Details": {"GitCommit": ""}}
  ]
}""")


def look(
    check: Advisory, *, runtime: str = "", toolkit: str = "", platform: str = "", **info: Any
) -> Finding:
    """What a check finds where the engine says otherwise than recorded."""
    version = deepcopy(VERSION)
    version["Platform"]["Name"] = platform
    around = Around(info=INFO | info, version=version, runtime=runtime, toolkit=toolkit)
    return AROUND_CHECKS[check](around)


def with_versions(**versions: str) -> Around:
    """The recorded engine with other versions, of its makers' own packages."""
    parts = [{"Name": name, "Version": told} for name, told in versions.items()]
    return Around(info=INFO, version={"Components": parts})


def test_every_advisory_has_its_check() -> None:
    """What can be accepted is what is checked, and nothing else."""
    assert {*AROUND_CHECKS, *CHANNEL_CHECKS} == set(Advisory)


def test_the_recorded_engine_as_a_whole() -> None:
    """What warns there has a next step; what passes or does not apply needs none."""
    found = {check: see(Around(info=INFO, version=VERSION)) for check, see in AROUND_CHECKS.items()}
    warns = {check for check, finding in found.items() if finding.verdict is Verdict.warning}
    assert warns == {
        Advisory.runc_version,
        Advisory.lsm,
        Advisory.cgroup,
        Advisory.user_namespace,
    }
    assert all(bool(found[check].next_step) is (check in warns) for check in found)


def test_an_old_runc_is_told_with_each_way_out() -> None:
    """Debian's own fix of CVE-2024-21626 counts; what came later is open, with its source."""
    found = look(Advisory.runc_version)
    assert "CVE-2024-21626" not in found.detail
    for number in ("CVE-2025-31133", "CVE-2025-52565", "CVE-2025-52881"):
        assert number in found.detail
    assert "https://github.com/opencontainers/runc/security/advisories/" in found.detail
    assert "distribution" in found.next_step
    assert "--accept runc_version" in found.next_step


@pytest.mark.parametrize(
    ("check", "name", "old", "new", "number"),
    [
        (Advisory.runc_version, "runc", "1.1.11", "1.3.3", "CVE-2024-21626"),
        (Advisory.runc_version, "runc", "1.2.7", "1.2.8", "CVE-2025-52881"),
        (Advisory.containerd_version, "containerd", "v1.7.28", "v1.7.29", "CVE-2024-25621"),
        (Advisory.engine_version, "Engine", "20.10.8", "28.2.2", "CVE-2021-41091"),
    ],
)
def test_a_version_is_held_against_the_list(
    check: Advisory, name: str, old: str, new: str, number: str
) -> None:
    """The version before the fix warns with its number, the one with it passes."""
    before = AROUND_CHECKS[check](with_versions(**{name: old}))
    assert before.verdict is Verdict.warning
    assert number in before.detail
    assert AROUND_CHECKS[check](with_versions(**{name: new})).verdict is Verdict.passed


def test_a_hole_of_a_plugin_counts_where_there_is_one() -> None:
    """Without an authorization plugin there is nothing to pass by."""
    assert look(Advisory.engine_version).verdict is Verdict.passed
    found = look(Advisory.engine_version, Plugins={"Authorization": ["opa"]})
    assert found.verdict is Verdict.warning
    assert "CVE-2024-41110" in found.detail


def test_a_version_that_is_not_told_is_no_pass() -> None:
    """The finding says from which version on it would be one, and how to accept it."""
    found = AROUND_CHECKS[Advisory.runc_version](with_versions())
    assert found.verdict is Verdict.warning
    assert "1.4.0-rc.3" in found.detail
    assert "--accept runc_version" in found.next_step


@pytest.mark.parametrize(
    ("toolkit", "verdict"),
    [
        ("NVIDIA Container Toolkit CLI version 1.17.7\ncommit: 0b5", Verdict.warning),
        ("NVIDIA Container Toolkit CLI version 1.17.8\ncommit: 1f2", Verdict.passed),
        ("", Verdict.warning),
    ],
)
def test_the_toolkit_matters_where_it_is(toolkit: str, verdict: Verdict) -> None:
    """Its version is its own tool's; where that is not to be asked, the finding says so."""
    assert look(Advisory.toolkit_version, toolkit=toolkit).verdict is Verdict.not_applicable
    runtimes = INFO["Runtimes"] | {"nvidia": {"path": "nvidia-container-runtime"}}
    found = look(Advisory.toolkit_version, toolkit=toolkit, Runtimes=runtimes)
    assert found.verdict is verdict


def test_the_desktop_is_held_against_the_list_and_its_memory_against_the_trials() -> None:
    """Elsewhere than on a desktop neither applies."""
    for check in (Advisory.desktop_version, Advisory.desktop_memory):
        assert look(check).verdict is Verdict.not_applicable
    old, new = "Docker Desktop 4.44.2 (202017)", "Docker Desktop 4.71.0 (225177)"
    assert "CVE-2025-9074" in look(Advisory.desktop_version, platform=old).detail
    assert look(Advisory.desktop_version, platform=new).verdict is Verdict.passed
    small, large = 2 * 2**30, 4 * 2**30 - 2**27
    found = look(Advisory.desktop_memory, platform=new, MemTotal=small)
    assert found.verdict is Verdict.warning
    assert "2.0 GiB" in found.detail
    found = look(Advisory.desktop_memory, platform=new, MemTotal=large)
    assert found.verdict is Verdict.passed


@pytest.mark.parametrize(
    ("check", "info"),
    [
        (Advisory.lsm, {"SecurityOptions": ["name=apparmor", "name=seccomp,profile=default"]}),
        (Advisory.lsm, {"SecurityOptions": ["name=selinux"]}),
        (Advisory.cgroup, {"CgroupVersion": "2"}),
        (Advisory.user_namespace, {"SecurityOptions": ["name=userns"]}),
        (Advisory.user_namespace, {"SecurityOptions": ["name=rootless", "name=cgroupns"]}),
    ],
)
def test_what_the_recorded_engine_lacks_passes_where_it_is(
    check: Advisory, info: dict[str, Any]
) -> None:
    """A module that confines, the newer cgroups, a user namespace."""
    assert look(check).verdict is Verdict.warning
    assert look(check, **info).verdict is Verdict.passed


@pytest.mark.parametrize("runtime", ["runsc", "gvisor", "kata"])
def test_a_kernel_of_its_own_makes_the_hosts_layers_unneeded(runtime: str) -> None:
    """Whether it was asked for by name or is the engine's own, and however it is registered."""
    runtimes = INFO["Runtimes"] | {
        "runsc": {"path": "/usr/local/bin/runsc"},
        "gvisor": {"runtimeType": "io.containerd.runsc.v1"},
        "kata": {"runtimeType": "io.containerd.kata.v2"},
    }
    for check in (Advisory.runc_version, Advisory.lsm, Advisory.user_namespace):
        asked = look(check, runtime=runtime, Runtimes=runtimes)
        assert asked.verdict is Verdict.not_applicable
        own = look(check, DefaultRuntime=runtime, Runtimes=runtimes)
        assert own.verdict is Verdict.not_applicable
        assert look(check, Runtimes=runtimes).verdict is Verdict.warning
