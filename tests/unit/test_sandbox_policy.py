"""What role containers are started with, as golden files, and the check that it came out so.

`UPDATE_GOLDEN=1 .venv/bin/python -m pytest tests/unit/test_sandbox_policy.py` writes the files
below `golden/` anew; each changed line there is a change of a container, and needs its reason.
"""

import copy
import json
import os
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from sandbox import limits
from sandbox.policy import (
    AGENT_ROLES,
    CONFINE,
    SPLITS,
    WHY,
    Order,
    Role,
    Volumes,
    artifact_options,
    differences,
    exec_spec,
    role_spec,
)
from sandbox.seccomp import profile, profile_json
from tests.support.played import inspected

GOLDEN = Path(__file__).parent / "golden"
GPU = "GPU-11111111-2222-3333-4444-555555555555"

ALL = Volumes(public="v-public", sealed="v-sealed", task="v-task", artifact="v-artifact")
BASE = Order(
    role=Role.trainer,
    image="sha256:" + "a" * 64,
    instance="0123456789ab",
    trial="fedcba9876543210",
    deadline=2_000_000_000,
    timer_uid=20_000,
    program_uid=20_001,
    memory_mib=2048,
    cpus=1.5,
    cpuset="2-3",
    artifact_mib=64,
    volumes=ALL,
)
ORDERS: dict[str, Order] = {
    **{str(role): replace(BASE, role=role) for role in Role},
    "trainer-gpu": replace(BASE, gpu=GPU),
    "predictor-gpu": replace(BASE, role=Role.predictor, gpu=GPU),
    "scorer-gpu": replace(BASE, role=Role.scorer, gpu=GPU),
    "trainer-kept-artifact": replace(BASE, volumes=replace(ALL, artifact_kept=True)),
    "trainer-large-artifact": replace(BASE, artifact_mib=4096),
    "trainer-runtime": replace(BASE, runtime="runsc"),
    "scorer-runtime": replace(BASE, role=Role.scorer, runtime="runsc"),
    "prepare-runtime": replace(BASE, role=Role.prepare, runtime="runsc"),
    "probe-bare": replace(BASE, role=Role.probe, volumes=Volumes()),
}
"""By the name of the golden file."""
PROFILES: dict[str, dict[str, bool]] = {
    "seccomp.json": {},
    "seccomp-gpu.json": {"gpu": True},
    "seccomp-networked.json": {"networked": True},
    "seccomp-own-code.json": {"answers": False},
    "seccomp-predictor.json": {"locks": False},
    "seccomp-predictor-gpu.json": {"locks": False, "gpu": True},
}
"""By the name of the golden file: what the profile is made with."""

orders = pytest.mark.parametrize("name", sorted(ORDERS))
roles = pytest.mark.parametrize("role", list(Role))


# ---- golden files -----------------------------------------------------------------------------


def check_golden(file: str, value: object) -> None:
    """Compare with a file below `golden/`, or write it."""
    text = json.dumps(value, indent=2, sort_keys=True) + "\n"
    path = GOLDEN / file
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text(), f"{file} differs; see the head of this test's file"


@orders
def test_a_container_is_what_its_golden_file_says(name: str) -> None:
    """Every setting of every role is in a file that a reader can review."""
    order = ORDERS[name]
    golden: dict[str, Any] = {"create": role_spec(order)}
    golden["create"]["Cmd"] = [
        "(see splits.py)" if word == SPLITS else word for word in golden["create"]["Cmd"]
    ]
    options = golden["create"]["HostConfig"]["SecurityOpt"]
    files = {f"seccomp={profile_json(**chosen)}": file for file, chosen in PROFILES.items()}
    options[1] = f"seccomp=(see {files[options[1]]})"
    if order.role in AGENT_ROLES:
        golden["exec"] = exec_spec(order, ("torch",))
        words = {CONFINE: "(see confine.py)"}
        words |= {text.removeprefix("seccomp="): f"(see {file})" for text, file in files.items()}
        golden["exec"]["Cmd"] = [words.get(word, word) for word in golden["exec"]["Cmd"]]
    check_golden(f"{name}.json", golden)


def test_the_seccomp_profile_is_what_its_golden_file_says() -> None:
    """The profile is pinned here, whatever the engine's default is."""
    for file, chosen in PROFILES.items():
        check_golden(file, profile(**chosen))


def test_the_artifact_is_what_its_golden_file_says() -> None:
    """The artifact's volume is a tmpfs with a size, a number of files, and one owner."""
    check_golden("artifact.json", artifact_options(64, 20_001))


def test_no_golden_file_is_left_over() -> None:
    """Each file below `golden/` is compared with something."""
    files = {path.name for path in GOLDEN.iterdir()}
    assert files == {f"{name}.json" for name in ORDERS} | set(PROFILES) | {"artifact.json"}


# ---- what holds for all roles -----------------------------------------------------------------


@pytest.mark.claim("one-role-has-a-network")
@roles
def test_only_prepare_has_a_network(role: Role) -> None:
    """No other role can reach anything, least of all one that runs agent code."""
    mode = role_spec(replace(BASE, role=role))["HostConfig"]["NetworkMode"]
    assert mode == ("bridge" if role is Role.prepare else "none")
    assert Role.prepare not in AGENT_ROLES


@roles
@pytest.mark.parametrize("kept", [False, True])
def test_sealed_data_is_with_trusted_roles_alone(role: Role, kept: bool) -> None:
    """A role of the agent image mounts no sealed volume; only the trainer writes the artifact."""
    order = replace(BASE, role=role, volumes=replace(ALL, artifact_kept=kept))
    mounts = {m["Source"]: m for m in role_spec(order)["HostConfig"]["Mounts"]}
    allowed = {
        Role.trainer: {"v-public", "v-task", "v-artifact"},
        Role.predictor: {"v-task", "v-artifact"},
        Role.probe: set(),
        Role.scorer: {"v-public", "v-sealed", "v-task"},
        Role.holder: {"v-artifact"},
        Role.prepare: {"v-public", "v-sealed", "v-task"},
        Role.verify: {"v-public", "v-sealed", "v-task"},
        Role.survey: {"v-public", "v-sealed", "v-task"},
    }
    assert set(mounts) == allowed[role]
    writable = {name for name, mount in mounts.items() if not mount["ReadOnly"]}
    written = {Role.trainer: {"v-artifact"}, Role.prepare: allowed[Role.prepare]}
    assert writable == written.get(role, set())
    copied = {name for name, mount in mounts.items() if not mount["VolumeOptions"]["NoCopy"]}
    assert copied == ({"v-artifact"} & set(mounts) if kept else set())


@roles
def test_no_role_has_more_than_it_needs(role: Role) -> None:
    """No capability, no new privilege, no environment, a read-only root, no swap: for all."""
    spec = role_spec(replace(BASE, role=role))
    host = spec["HostConfig"]
    assert (host["CapDrop"], spec["Env"], host["ReadonlyRootfs"]) == (["ALL"], [], True)
    assert host["SecurityOpt"][0] == "no-new-privileges"
    assert host["Memory"] == host["MemorySwap"] == 2048 * 2**20
    assert 0 < host["PidsLimit"] <= limits.PIDS
    assert host["LogConfig"] == {"Type": "none", "Config": {}}
    assert host["RestartPolicy"]["Name"] == "no"
    assert not {"Binds", "Devices", "Privileged", "PidMode", "CapAdd"} & set(host)
    assert all(mount["Type"] == "volume" for mount in host["Mounts"])
    assert all("nosuid,nodev" in options for options in host["Tmpfs"].values())
    assert "noexec" in host["Tmpfs"]["/tmp"]


@roles
def test_agent_code_is_never_the_timer_nor_root(role: Role) -> None:
    """A role that runs agent code has two unprivileged uids; only the operator's `prepare` is 0."""
    order = replace(BASE, role=role)
    spec = role_spec(order)
    assert spec["User"] == ("0:0" if role is Role.prepare else "20000:20000")
    if role in AGENT_ROLES:
        assert exec_spec(order)["User"] == "20001:20001"
        assert spec["Cmd"][:2] == ["/bin/bash", "-c"]
        assert exec_spec(order)["Cmd"][1:3] == ["-I", "-B"]
        assert not exec_spec(order)["Privileged"]
    else:
        assert spec["Cmd"][:2] == ["/usr/bin/timeout", "--signal=KILL"]


@roles
def test_a_gpu_is_for_agent_roles(role: Role) -> None:
    """One GPU by UUID, to compute; trusted roles get none even where the trial has one."""
    requests = role_spec(replace(BASE, role=role, gpu=GPU))["HostConfig"]["DeviceRequests"]
    if role not in AGENT_ROLES:
        assert requests == []
        return
    (request,) = requests
    assert request["DeviceIDs"] == [GPU]
    assert request["Count"] == 0
    assert request["Capabilities"] == [["gpu", "compute", "utility"]]
    assert role_spec(replace(BASE, role=role))["HostConfig"]["DeviceRequests"] == []


@roles
def test_the_spec_is_a_pure_function(role: Role) -> None:
    """The same order is the same container, and no call changes another's."""
    order = replace(BASE, role=role)
    first = role_spec(order)
    wanted = copy.deepcopy(first)
    first["HostConfig"]["Mounts"].clear()
    first["HostConfig"]["CapDrop"].append("nothing")
    assert role_spec(order) == wanted
    json.dumps(wanted)


def test_every_part_of_an_order_matters() -> None:
    """Nothing is asked of the policy that it then leaves out."""
    other: dict[str, Any] = {
        "role": Role.scorer,
        "image": "sha256:" + "b" * 64,
        "instance": "other",
        "trial": "other",
        "deadline": 1,
        "timer_uid": 30_000,
        "program_uid": 30_001,
        "memory_mib": 64,
        "cpus": 1.0,
        "cpuset": "0",
        "artifact_mib": 4096,
        "volumes": Volumes(),
        "runtime": "runsc",
        "gpu": GPU,
    }
    assert set(other) == {field.name for field in fields(Order)}
    plain = (role_spec(BASE), exec_spec(BASE))
    for name, value in other.items():
        changed = replace(BASE, **{name: value})
        assert (role_spec(changed), exec_spec(changed)) != plain, name


def test_every_setting_has_its_reason() -> None:
    """`WHY` names what the spec sets, and nothing that it does not."""
    spec = role_spec(BASE)
    names = set(spec) - {"HostConfig", "AttachStdin", "Tty"}
    assert names | {f"HostConfig.{name}" for name in spec["HostConfig"]} == set(WHY)


# ---- what the engine made of it ---------------------------------------------------------------


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of all that is neither list nor dict, and of all that is empty."""
    if isinstance(value, dict | list) and value:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in items:
            yield from leaves(part, (*path, key))
    else:
        yield path


def other(value: Any) -> Any:
    """Something else of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return value + "x"
    return ["x"] if isinstance(value, list) else {"x": "x"}


def at(tree: Any, path: tuple[Any, ...]) -> Any:
    """The part of a tree at a path."""
    for key in path:
        tree = tree[key]
    return tree


@orders
def test_what_came_out_as_asked_has_no_difference(name: str) -> None:
    """An engine that leaves empty values out, sorts limits and adds labels did as it was told."""
    spec = role_spec(ORDERS[name])
    answer = inspected(spec)
    assert differences(spec, answer) == []
    answer["HostConfig"]["Ulimits"].reverse()
    for part in (answer["Config"], answer["HostConfig"]):
        for key in [key for key, value in part.items() if not value]:
            del part[key]
    if not spec["HostConfig"]["Runtime"]:
        answer["HostConfig"]["Runtime"] = "runc"
    assert differences(spec, answer) == []


@orders
def test_every_changed_leaf_is_found(name: str) -> None:
    """Each single value of the spec, changed or left out in what the engine made, is a finding."""
    spec = role_spec(ORDERS[name])
    free = {("HostConfig", "Runtime")} if not spec["HostConfig"]["Runtime"] else set()
    paths = [path for path in leaves(spec) if path not in free and path[0] != "Env"]
    assert len(paths) > 50
    for path in paths:
        where = path if path[0] in ("HostConfig", "Image") else ("Config", *path)
        changed = inspected(spec)
        parent, value = at(changed, where[:-1]), at(changed, where)
        parent[where[-1]] = other(value)
        assert differences(spec, changed), f"{path} changed"
        if value:
            changed = inspected(spec)
            del at(changed, where[:-1])[where[-1]]
            assert differences(spec, changed), f"{path} left out"


@orders
def test_what_is_added_is_found(name: str) -> None:
    """One more entry in any list or table that the spec has is a finding."""
    spec = role_spec(ORDERS[name])
    host = spec["HostConfig"]
    for key in [key for key, value in host.items() if isinstance(value, list | dict)]:
        changed = inspected(spec)
        more = changed["HostConfig"][key]
        if isinstance(more, dict):
            more["/more"] = "x"
        else:
            more.append({"Name": "x", "Soft": 1, "Hard": 1} if key == "Ulimits" else "x")
        assert differences(spec, changed), key
    changed = inspected(spec)
    changed["Config"]["Env"].append("LD_PRELOAD=/x")
    assert differences(spec, changed)
    changed = inspected(spec)
    changed["Config"]["Cmd"].append("x")
    assert differences(spec, changed)


SILENT: dict[str, Any] = {
    "Privileged": True,
    "CapAdd": ["SYS_ADMIN"],
    "Binds": ["/:/host"],
    "Devices": [{"PathOnHost": "/dev/mem"}],
    "PidMode": "host",
    "UTSMode": "host",
    "UsernsMode": "host",
    "VolumesFrom": ["other"],
    "DeviceCgroupRules": ["a *:* rwm"],
    "PublishAllPorts": True,
    "PortBindings": {"80/tcp": [{"HostPort": "80"}]},
    "ExtraHosts": ["a:1.2.3.4"],
    "Links": ["other"],
    "GroupAdd": ["docker"],
    "OomKillDisable": True,
    "Sysctls": {"net.ipv4.ip_forward": "1"},
}
"""Settings that the spec does not name, at a value that would do harm."""


@pytest.mark.parametrize("setting", sorted(SILENT))
def test_what_nobody_asked_for_is_found(setting: str) -> None:
    """A setting that the spec is silent about must be at its harmless value."""
    spec = role_spec(BASE)
    answer = inspected(spec)
    answer["HostConfig"][setting] = SILENT[setting]
    assert any(setting in line for line in differences(spec, answer))


@orders
def test_every_mount_is_looked_at_as_it_came_out(name: str) -> None:
    """A mount that is missing, writable, elsewhere, of another volume, or new, is a finding."""
    spec = role_spec(ORDERS[name])
    extra = {"Name": None, "Destination": "/more", "RW": True}
    answer = inspected(spec)
    answer["Mounts"].append(extra)
    assert any("Mounts" in line for line in differences(spec, answer))
    for n, mount in enumerate(inspected(spec)["Mounts"]):
        changes = [{"Name": "x"}, {"Destination": "/x"}, {"RW": not mount["RW"]}]
        for change in changes:
            answer = inspected(spec)
            answer["Mounts"][n] |= change
            assert any("Mounts" in line for line in differences(spec, answer))
        answer = inspected(spec)
        del answer["Mounts"][n]
        assert any("Mounts" in line for line in differences(spec, answer))


def test_an_empty_answer_is_all_difference() -> None:
    """An engine that says nothing is not believed."""
    found = differences(role_spec(BASE), {})
    assert any(line.startswith("Image") for line in found)
    assert any(line.startswith("HostConfig.NetworkMode") for line in found)
    assert all(len(line) <= 300 for line in found)
