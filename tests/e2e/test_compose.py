"""The stack as a person meets it: up, look, down, up again, stop. The tests build on each other."""

import os
import shutil
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.stack import Stack, docker, until

pytestmark = pytest.mark.e2e

EXPERIMENTS = 3


@pytest.fixture(scope="module")
def stack(make_stack: Callable[..., Stack]) -> Stack:
    """Started once, with few experiments to do."""
    stack = make_stack(SEALED_EXPERIMENTS=str(EXPERIMENTS))
    stack.up()
    return stack


@pytest.fixture(scope="module")
def halted(stack: Stack) -> dict[str, Any]:
    """The run on the page, after its experiments."""

    def done() -> dict[str, Any] | None:
        run = stack.shown()
        return run if run and not run["driven"] and run["experiments"] == EXPERIMENTS else None

    try:
        found: dict[str, Any] = until(done, 240, "the run did not come to its end")
    except AssertionError as fault:
        raise AssertionError(f"{fault}: {stack.page()}\n{stack.compose('logs')}") from None
    return found


def status(stack: Stack, service: str) -> dict[str, str]:
    """What the kernel says of a service's first process."""
    text = stack.compose("exec", "-T", service, "cat", "/proc/1/status")
    return {
        name: value.strip() for name, _, value in (li.partition(":") for li in text.splitlines())
    }


def tried(stack: Stack, service: str, code: str) -> str:
    """What Python code prints in a service's container."""
    python = "/opt/sealed/venv/bin/python"
    return stack.compose("exec", "-T", service, python, "-Ic", code).strip()


def test_a_kept_improvement_is_on_the_page(halted: dict[str, Any]) -> None:
    """From nothing, without a key: prepared, measured, tried, and one is better."""
    assert halted["kept"] >= 1
    assert halted["best"]["gain"] > 0
    assert halted["best"]["score"] < halted["baseline"]
    assert halted["standing"]["word"] == "halted"


def test_both_services_become_healthy(stack: Stack, halted: dict[str, Any]) -> None:
    """The sandbox with its engine and images, the controller with its page."""
    for service in ("sandbox", "controller"):
        state = until(
            lambda service=service: (
                (s := stack.container(service)["State"])["Health"]["Status"] == "healthy" and s
            ),
            90,
            f"{service} is not healthy",
        )
        assert state["Running"]
        assert not state["Restarting"]
    for image in ("agent", "scorer"):
        assert stack.container(image)["State"]["ExitCode"] == 0


@pytest.mark.claim("services-are-hardened")
@pytest.mark.usefixtures("halted")
@pytest.mark.parametrize(("service", "user"), [("sandbox", "10002"), ("controller", "10001")])
def test_a_service_runs_as_its_own_user_without_a_capability(
    stack: Stack, service: str, user: str
) -> None:
    """Whatever the entrance was given: nothing of it is left, and nothing can be won back."""
    seen = status(stack, service)
    assert set(seen["Uid"].split()) == {user}
    assert {seen[name].strip("0") for name in ("CapPrm", "CapEff", "CapInh", "CapAmb")} == {""}
    assert seen["NoNewPrivs"] == "1"
    host = stack.container(service)["HostConfig"]
    assert host["ReadonlyRootfs"]
    assert not host["Privileged"]
    assert "Read-only file system" in tried(
        stack, service, "import errno, os\ntry: open('/usr/x', 'w')\nexcept OSError as e: print(e)"
    )


@pytest.mark.claim("sandbox-has-no-network")
@pytest.mark.usefixtures("halted")
def test_the_sandbox_has_no_network(stack: Stack) -> None:
    """Neither by its settings nor by trying."""
    assert stack.container("sandbox")["HostConfig"]["NetworkMode"] == "none"
    assert tried(stack, "sandbox", "import os; print(*os.listdir('/sys/class/net'))") == "lo"
    code = (
        "import socket\n"
        "for place in (('192.0.2.1', 80), ('172.17.0.1', 2375)):\n"
        "    try: socket.create_connection(place, 3)\n"
        "    except OSError as fault: print(fault.strerror)\n"
    )
    assert set(tried(stack, "sandbox", code).splitlines()) == {"Network is unreachable"}


@pytest.mark.claim("controller-has-no-engine")
@pytest.mark.usefixtures("halted")
def test_the_controller_has_no_engine_and_no_data(stack: Stack) -> None:
    """Of the sandbox it has one socket, in a folder where it can make and remove nothing."""
    mounts = stack.container("controller")["Mounts"]
    assert {m["Destination"]: m["RW"] for m in mounts} == {
        "/var/lib/sealed/tasks": False,
        "/var/lib/sealed/runs": True,
        "/run/sealed": False,
        "/run/secrets/llm_key": False,
    }
    assert not any("docker" in m["Source"].rpartition("/")[2] for m in mounts)
    code = (
        "import os, socket, stat\n"
        "found = [os.path.join(d, n) for top in ('/run', '/var', '/tmp') for d, _, names in"
        " os.walk(top) for n in names if stat.S_ISSOCK(os.lstat(os.path.join(d, n)).st_mode)]\n"
        "print(*found)\n"
        "try: os.unlink('/run/sealed/sandbox.sock')\n"
        "except OSError as fault: print(fault.strerror)\n"
    )
    assert tried(stack, "controller", code).splitlines() == [
        "/run/sealed/sandbox.sock",
        "Read-only file system",
    ]
    (port,) = stack.container("controller")["HostConfig"]["PortBindings"]["8000/tcp"]
    assert port["HostIp"] == "127.0.0.1"


def test_down_and_up_goes_on_with_the_same_run(stack: Stack, halted: dict[str, Any]) -> None:
    """With a higher limit it does what is left, and nothing of before is lost or doubled."""
    before = stack.sealed("experiment", "list")["items"]
    stack.compose("down")
    stack.settings["SEALED_EXPERIMENTS"] = str(EXPERIMENTS + 2)
    stack.up()
    until(
        lambda: stack.shown().get("experiments") == EXPERIMENTS + 2 and not stack.shown()["driven"],
        120,
        "the run did not go on",
    )
    after = stack.sealed("experiment", "list")["items"]
    assert after[: len(before)] == before
    assert [item["number"] for item in after] == list(range(EXPERIMENTS + 3))
    assert len(stack.page("/runs.json")["items"]) == 1


@pytest.mark.slow
@pytest.mark.claim("stack-leaves-nothing")
def test_stop_in_the_middle_leaves_no_container(stack: Stack, halted: dict[str, Any]) -> None:
    """SIGTERM ends the trial at hand; its containers and its artifact go with it."""
    stack.compose("down")
    stack.settings["SEALED_EXPERIMENTS"] = "1000"
    stack.up()
    until(lambda: "training" in stack.shown().get("standing", {}).get("text", ""), 90, "no trial")
    assert stack.left()
    stack.compose("stop")
    assert stack.left() == []
    for service in ("sandbox", "controller"):
        state = stack.container(service)["State"]
        assert (state["ExitCode"], state["OOMKilled"]) in [(0, False), (130, False)], service


@pytest.mark.slow
def test_runs_in_a_folder_are_a_users_of_this_machine(
    make_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    """With SEALED_RUNS and SEALED_USER, git works on this machine, and no file is root's."""
    runs = tmp_path / "runs"
    runs.mkdir()
    runs.chmod(stat.S_IRWXU)
    os.chown(runs, 12_345, 12_345)
    for folder in [tmp_path, *tmp_path.parents[:-2]]:
        folder.chmod(folder.stat().st_mode | stat.S_IXOTH)
    stack = make_stack(SEALED_EXPERIMENTS="1", SEALED_RUNS=str(runs), SEALED_USER="12345:12345")
    stack.up()
    until(lambda: stack.shown().get("experiments") == 1, 120, "no experiment")
    stack.compose("stop")
    (run,) = [path for path in runs.iterdir() if path.is_dir()]
    assert {path.stat().st_uid for path in run.rglob("*")} == {12_345}
    done = stack.run("git", "-c", "safe.directory=*", "-C", str(run / "repository"), "log", "main")
    assert "the task's own train.py" in done.stdout


@pytest.mark.slow
def test_without_compose_it_runs_on_this_machine(
    make_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    """`make up` says which claims drop, `make down` ends what it started, and up again goes on."""
    program = shutil.which("docker")
    (tmp_path / "docker").write_text(f'#!/bin/sh\n[ "$1" != compose ] && exec {program} "$@"\n')
    (tmp_path / "docker").chmod(0o755)
    stack = make_stack(
        PATH=f"{tmp_path}:{os.environ['PATH']}",
        SEALED_HOME=str(tmp_path / "home"),
        SEALED_RUNS=str(tmp_path / "runs"),
        SEALED_TASK="tests/tasks/tiny",
        SEALED_EXPERIMENTS="1000",
        SEALED_INSTALL="0",
    )
    wanted = 1
    for _ in range(2):
        done = stack.run("scripts/up.sh")
        try:
            assert done.returncode == 0, done.stderr
            assert 'SECURITY.md marks "Compose" do not hold' in done.stdout
            assert "the baseline has its score" in done.stdout
            until(lambda n=wanted: stack.shown()["experiments"] >= n, 60, "no experiment")
            assert stack.shown()["run"] == "tiny-1"
            wanted = stack.shown()["experiments"] + 1
        finally:
            down = stack.run("scripts/down.sh")
        assert down.returncode == 0, down.stderr
        assert not stack.page()
        label = f"label=sealed.instance={(tmp_path / 'home' / 'instance').read_text()}"
        assert docker("ps", "--all", "--quiet", "--filter", label) == ""
    docker("volume", "rm", *docker("volume", "ls", "--quiet", "--filter", label).split())


# ---- what is wrong is told in a line, before anything is built --------------------------------


@pytest.fixture
def elsewhere(make_stack: Callable[..., Stack]) -> Stack:
    """A stack that is never started."""
    return make_stack(SEALED_INSTALL="0")


def test_a_port_that_is_taken_is_told_with_the_next_step(elsewhere: Stack) -> None:
    """Before any image is built."""
    with socket.create_server(("127.0.0.1", elsewhere.port)):
        done = elsewhere.run("scripts/up.sh")
    assert done.returncode == 3
    assert f"{elsewhere.port} on 127.0.0.1 is taken by another program" in done.stderr
    assert f"SEALED_PORT={elsewhere.port + 1} make up" in done.stderr
    assert "images" not in done.stdout


def test_a_full_disk_is_told_with_the_next_step(elsewhere: Stack) -> None:
    """By a bound that no disk has."""
    done = elsewhere.run("scripts/up.sh", SEALED_DISK_GIB="99999999")
    assert done.returncode == 3
    assert "99999999 are needed" in done.stderr
    assert "docker image prune" in done.stderr


def test_a_missing_engine_socket_is_told(elsewhere: Stack) -> None:
    """By Compose itself: it is no folder that the engine makes up."""
    done = elsewhere.run(
        "docker", "compose", "up", "--no-build", "--detach", "sandbox",
        SEALED_ENGINE_SOCKET="/nowhere/docker.sock",
    )  # fmt: skip
    assert done.returncode != 0
    assert "/nowhere/docker.sock" in done.stderr


def test_what_is_no_engine_is_told_by_the_sandbox(elsewhere: Stack) -> None:
    """In one line of its log."""
    done = elsewhere.run(
        "docker", "compose", "run", "--rm", "--no-deps", "-T", "sandbox", "serve",
        SEALED_ENGINE_SOCKET="/dev/null",
    )  # fmt: skip
    assert done.returncode == 3
    assert "error: What is mounted at /var/run/docker.sock is no socket." in done.stderr
