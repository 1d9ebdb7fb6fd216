"""The program that puts the list of system calls on itself, tried by the doctor's own probe."""

import ctypes.util
import json
import subprocess
import sys
from importlib import resources

import pytest

from sandbox.denied import attempts
from sandbox.seccomp import profile_json

pytestmark = pytest.mark.skipif(
    ctypes.util.find_library("seccomp") is None, reason="this machine has no libseccomp"
)

CALLS = resources.files("sandbox.programs").joinpath("calls.py").read_text()
CONFINE = resources.files("sandbox.programs").joinpath("confine.py").read_text()
LOCKS = """
import fcntl, os, socket, threading
file = os.open("/tmp", os.O_RDONLY)
fcntl.flock(file, fcntl.LOCK_EX)
threading.Thread(target=print, args=("thread",)).start()
left, right = socket.socketpair()
left.send(b"x")
try:
    socket.socket(socket.AF_INET)
except PermissionError:
    print("refused")
"""


def run(program: str, *arguments: str, listed: str = "") -> subprocess.CompletedProcess[str]:
    """Run a program as `exec` would, under a list or under none."""
    command = [sys.executable, "-I", "-B", "-c", program, *arguments]
    if listed:
        command = [sys.executable, "-I", "-B", "-c", CONFINE, listed, *command]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.claim("no-privileges")
@pytest.mark.parametrize("locks", [True, False])
def test_a_program_that_confined_itself_is_refused_every_denied_call(locks: bool) -> None:
    """What the engine's filter refuses under runc, this one refuses, in each ABI."""
    tried = json.dumps(attempts(locks=locks))
    assert json.loads(run(CALLS, tried, listed=profile_json(locks=locks)).stderr) == []


def test_control_without_the_list_calls_are_answered() -> None:
    """Without the list the same probe finds calls that are answered."""
    few = {abi: [row for row in rows if row[0] in ("ptrace", "mincore", "inotify_init1")]
           for abi, rows in attempts(locks=True).items()}  # fmt: skip
    assert "mincore (x86-64)" in json.loads(run(CALLS, json.dumps(few)).stderr)


@pytest.mark.parametrize("locks", [True, False])
def test_a_program_that_confined_itself_can_work(locks: bool) -> None:
    """Threads, pairs of sockets and the answer to `flock` are there; a network is not."""
    done = run(LOCKS, listed=profile_json(locks=locks))
    assert sorted(done.stdout.split()) == ["refused", "thread"], done.stderr
