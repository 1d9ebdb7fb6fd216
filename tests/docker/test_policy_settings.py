"""Every setting of the policy does something: with it, the doctor passes; without it, it fails.

The failing check is named here beside the setting. That is the control arm of the doctor, too.
"""

from collections.abc import Callable
from typing import Any

import pytest

from sandbox import doctor
from sandbox.api import Advisory, Verdict
from sandbox.containers.container import StartFailed
from sandbox.containers.host import Host
from sandbox.containers.probe import probe_order, run_probe
from sandbox.errors import EngineUnavailable, SandboxError
from sandbox.policy import WHY, Order, Role, Volumes, differences, role_spec
from sandbox.seccomp import profile_json
from tests.support.candidates import Spec, weaken

pytestmark = pytest.mark.docker

CHANNELS = {str(name): check for name, check in doctor.CHANNEL_CHECKS.items()}
LATE_TIMER = 'read -r seconds && exec /bin/sleep "$((${seconds%.*} + 2))"'


def _set(path: str, value: Any) -> Callable[[Spec, Order], None]:
    def change(spec: Spec, _: Order) -> None:
        *parents, last = path.split(".")
        for parent in parents:
            spec = spec[parent]
        spec[last] = value

    return change


def _one_uid(spec: Spec, order: Order) -> None:
    spec["User"] = f"{order.program_uid}:{order.program_uid}"


def _without_security_option(start: str) -> Callable[[Spec, Order], None]:
    def change(spec: Spec, _: Order) -> None:
        options = spec["HostConfig"]["SecurityOpt"]
        spec["HostConfig"]["SecurityOpt"] = [o for o in options if not o.startswith(start)]
        if start == "seccomp":
            spec["HostConfig"]["SecurityOpt"].append("seccomp=unconfined")

    return change


def _with_locks(spec: Spec, order: Order) -> None:
    if order.role is Role.predictor:
        spec["HostConfig"]["SecurityOpt"][1] = f"seccomp={profile_json()}"


def _without_limit(name: str) -> Callable[[Spec, Order], None]:
    def change(spec: Spec, _: Order) -> None:
        limits = spec["HostConfig"]["Ulimits"]
        spec["HostConfig"]["Ulimits"] = [limit for limit in limits if limit["Name"] != name]

    return change


def _no_inode_limit(spec: Spec, _: Order) -> None:
    tmpfs = spec["HostConfig"]["Tmpfs"]
    spec["HostConfig"]["Tmpfs"] = {
        place: ",".join(o for o in options.split(",") if not o.startswith("nr_inodes"))
        for place, options in tmpfs.items()
    }


def _sealed_to(role: Role) -> Callable[[Spec, Order], None]:
    """Mount the held-out data, away from its place, where a program of this role runs."""

    def change(spec: Spec, order: Order) -> None:
        if order.role is role:
            spec["HostConfig"]["Mounts"].append(
                {
                    "Type": "volume",
                    "Source": order.volumes.sealed,
                    "Target": "/opt/more",
                    "ReadOnly": True,
                    "VolumeOptions": {"NoCopy": True},
                }
            )

    return change


def _public_to_predictor(spec: Spec, order: Order) -> None:
    if order.role is Role.predictor:
        for mount in spec["HostConfig"]["Mounts"]:
            mount["Source"] = order.volumes.public


def _no_data(spec: Spec, order: Order) -> None:
    if order.role is Role.trainer:
        spec["HostConfig"]["Mounts"] = []


def _no_memory_limit(spec: Spec, _: Order) -> None:
    spec["HostConfig"] |= {"Memory": 0, "MemorySwap": 0}


FLIPS: list[tuple[str, Callable[[Spec, Order], None], str]] = [
    ("Cmd", _set("Cmd", ["/bin/bash", "-c", LATE_TIMER]), "timer"),
    ("User", _one_uid, "user"),
    ("Env", _set("Env", ["SECRET=1"]), "environment"),
    ("OpenStdin", _set("OpenStdin", False), "timer"),
    ("StdinOnce", _set("StdinOnce", False), "unarmed"),
    (
        "Healthcheck",
        _set("Healthcheck", {"Test": ["CMD", "/bin/true"], "Interval": 1_000_000_000}),
        "engine_side",
    ),
    ("Labels", _set("Labels", {}), "engine_side"),
    ("HostConfig.NetworkMode", _set("HostConfig.NetworkMode", "bridge"), "network"),
    ("HostConfig.Init", _set("HostConfig.Init", False), "processes"),
    ("HostConfig.CapDrop", _set("HostConfig.CapDrop", []), "privileges"),
    ("HostConfig.SecurityOpt", _without_security_option("no-new"), "privileges"),
    ("HostConfig.SecurityOpt", _without_security_option("seccomp"), "seccomp"),
    ("HostConfig.SecurityOpt", _without_security_option("seccomp"), "sockets"),
    ("HostConfig.SecurityOpt", _with_locks, "seccomp"),
    ("HostConfig.ReadonlyRootfs", _set("HostConfig.ReadonlyRootfs", False), "read_only"),
    (
        "HostConfig.Tmpfs",
        _set("HostConfig.Tmpfs", {"/tmp": "rw,mode=1777", "/cache": "rw,mode=1777"}),
        "tmpfs",
    ),
    ("HostConfig.Tmpfs", _set("HostConfig.Tmpfs", {"/tmp": "rw,size=1g,mode=1777"}), "quotas"),
    ("HostConfig.Tmpfs", _no_inode_limit, "tmpfs_inodes"),
    ("HostConfig.Mounts", _sealed_to(Role.trainer), "held_out"),
    ("HostConfig.Mounts", _sealed_to(Role.predictor), "held_out"),
    ("HostConfig.Mounts", _public_to_predictor, "held_out"),
    ("HostConfig.Mounts", _no_data, "held_out"),
    ("HostConfig.IpcMode", _set("HostConfig.IpcMode", "host"), "shm"),
    ("HostConfig.CgroupnsMode", _set("HostConfig.CgroupnsMode", "host"), "cgroup_namespace"),
    ("HostConfig.ShmSize", _set("HostConfig.ShmSize", 1 << 30), "quotas"),
    ("HostConfig.Memory", _no_memory_limit, "memory"),
    ("HostConfig.MemorySwap", _set("HostConfig.MemorySwap", -1), "memory_settings"),
    ("HostConfig.PidsLimit", _set("HostConfig.PidsLimit", 0), "processes"),
    ("HostConfig.NanoCpus", _set("HostConfig.NanoCpus", 0), "cpus"),
    ("HostConfig.CpusetCpus", _set("HostConfig.CpusetCpus", ""), "cpus"),
    ("HostConfig.Ulimits", _without_limit("core"), "ulimits"),
    ("HostConfig.Ulimits", _without_limit("fsize"), "ulimits"),
    ("HostConfig.Ulimits", _without_limit("memlock"), "ulimits"),
    ("HostConfig.Ulimits", _without_limit("msgqueue"), "ulimits"),
    ("HostConfig.Ulimits", _without_limit("nofile"), "ulimits"),
    ("HostConfig.OomScoreAdj", _set("HostConfig.OomScoreAdj", 0), "oom_score"),
    (
        "HostConfig.RestartPolicy",
        _set("HostConfig.RestartPolicy", {"Name": "always", "MaximumRetryCount": 0}),
        "stays_dead",
    ),
    ("HostConfig.LogConfig", _set("HostConfig.LogConfig", {"Type": "json-file"}), "engine_side"),
]
"""Setting, how it is taken out, and the doctor's check that must fail then."""

ELSEWHERE = {
    "Image": "test_a_tag_is_refused",
    "HostConfig.DeviceRequests": "test_a_gpu_is_refused_where_there_is_none",
    "HostConfig.Runtime": "test_a_missing_runtime_is_refused",
}
"""Settings whose flip is not the doctor's to find, and the test that names each."""


def _finding(host: Host, check: str) -> str:
    try:
        if check in doctor.FACT_CHECKS:
            return doctor.FACT_CHECKS[check](doctor.facts(host))
        if check in CHANNELS:
            found = CHANNELS[check](host)
            return "" if found.verdict is Verdict.passed else found.detail
        return doctor.TRIED_CHECKS[check](host)
    except (SandboxError, StartFailed) as fault:
        return str(fault)


def test_every_setting_is_flipped() -> None:
    """A setting that is added to the policy needs a reason and a test that breaks without it."""
    order = Order(
        role=Role.trainer,
        image="sha256:0",
        instance="i",
        trial="t",
        deadline=0,
        timer_uid=1,
        program_uid=2,
        memory_mib=64,
        cpus=1,
        cpuset="0",
        artifact_mib=1,
        volumes=Volumes(),
    )
    spec = role_spec(order)
    names = {name for name in spec if name not in ("HostConfig", "AttachStdin", "Tty")}
    names |= {f"HostConfig.{name}" for name in spec["HostConfig"]}
    assert names == set(WHY)
    assert names == {setting for setting, _, _ in FLIPS} | set(ELSEWHERE)
    assert all(test in globals() for test in ELSEWHERE.values())


def test_a_finding_names_the_settings_that_its_check_tries() -> None:
    """A runtime that does not enforce a setting is found with that setting's name."""
    told = {(check, setting) for check, settings in doctor.SETTINGS.items() for setting in settings}
    assert told == {(check, setting) for setting, _, check in FLIPS if check not in CHANNELS}


@pytest.mark.parametrize(
    "runtime",
    ["", pytest.param("runsc", marks=pytest.mark.slow)],
    ids=["default", "gvisor"],
    indirect=True,
    scope="session",
)
def test_the_doctor_passes(host: Host) -> None:
    """With the policy as it is, every measured check passes; advice is all that is left."""
    checks = doctor.examine(host)
    measured = {check.name for check in checks if check.measured}
    assert measured == {"images", "runner", "gpu", *doctor.FACT_CHECKS, *doctor.TRIED_CHECKS}
    assert {check.name for check in checks} - measured == set(Advisory)
    harmless = (Verdict.passed, Verdict.not_applicable)
    assert [check for check in checks if check.measured and check.verdict not in harmless] == []


@pytest.mark.claim("every-setting-matters")
@pytest.mark.parametrize(
    ("setting", "change", "check"), FLIPS, ids=[f"{f[0]}-{f[2]}-{n}" for n, f in enumerate(FLIPS)]
)
def test_without_the_setting_its_check_fails(
    host: Host,
    monkeypatch: pytest.MonkeyPatch,
    setting: str,
    change: Callable[[Spec, Order], None],
    check: str,
) -> None:
    """Taking one setting out of the policy is found by behaviour, not by reading it back."""
    weaken(monkeypatch, change)
    assert _finding(host, check), f"{check} does not notice that {setting} is gone"


@pytest.mark.slow
def test_a_finding_is_told_with_its_setting(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the engine to the reader: the check fails, and the setting's name comes first."""
    weaken(monkeypatch, _set("HostConfig.OomScoreAdj", 0))
    (found,) = [check for check in doctor.examine(host) if check.name == "oom_score"]
    assert (found.verdict, found.detail) == (
        Verdict.failed,
        "HostConfig.OomScoreAdj: oom_score_adj is 0",
    )
    assert found.next_step


@pytest.mark.claim("fails-closed")
def test_a_tag_is_refused(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container is never started from a tag, which can move between lint and start."""
    weaken(monkeypatch, _set("Image", host.config.agent_image))
    with pytest.raises(EngineUnavailable, match="Image"):
        doctor.facts(host)


@pytest.mark.claim("fails-closed")
def test_a_foreign_mount_is_refused(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mount that the spec does not name, such as an image's own volume, is found before start."""
    order = probe_order(host, host.engine.image(host.config.agent_image).id)
    spec = role_spec(order)
    widened = role_spec(order)
    widened["HostConfig"]["Mounts"] = [
        {"Type": "tmpfs", "Target": "/more"},
    ]
    container = host.engine.create(widened, f"sealed-test-{order.timer_uid}")
    try:
        assert any("Mounts" in line for line in differences(spec, host.engine.inspect(container)))
    finally:
        host.engine.remove(container)
        host.uids.release(order.timer_uid)


def test_a_gpu_is_refused_where_there_is_none(host: Host) -> None:
    """A GPU that the engine can't give is an error with its own words, never the CPU instead."""
    if "nvidia" in host.runtimes:
        pytest.skip("this engine has GPUs")
    gpu = "GPU-00000000-0000-0000-0000-000000000000"
    order = probe_order(host, host.engine.image(host.config.agent_image).id, gpu=gpu)
    with pytest.raises(SandboxError, match="GPU"):
        run_probe(host, order, ["/bin/true"], 5)


def test_a_missing_runtime_is_refused(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """A runtime that the engine does not have is refused, never replaced by another."""
    weaken(monkeypatch, _set("HostConfig.Runtime", "no-such-runtime"))
    with pytest.raises(SandboxError, match="runtime"):
        doctor.facts(host)
