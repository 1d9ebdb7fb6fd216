"""`python -m sandbox.enter serve|reap`: the first program of the sandbox's container.

It begins as root with two capabilities, to change user and groups, because only now can it be seen
which group may use the engine's socket that was mounted. It becomes the sandbox's own user, in that
group and in the one that shares the API's socket with the controller, and then is the sandbox.
From there on no capability is left, and no new one can be had.
"""

import os
import socket
import stat
import sys
from collections.abc import Sequence
from pathlib import Path

USER = 10_002
API_GROUP = 10_000
HOME = Path("/var/lib/sealed")
ENGINE = Path("/var/run/docker.sock")
BUNDLE = Path("/etc/sealed/certificates/bundle.pem")
_ANSWER_SECONDS = 20
_OTHER_SOCKET = "Set SEALED_ENGINE_SOCKET to the socket's path on the engine's host."


class CannotEnter(Exception):
    """What is wrong, and the next step."""

    def __init__(self, message: str, next_step: str) -> None:
        super().__init__(f"{message} {next_step}")


def engine_group(path: Path) -> int:
    """The group that may use the engine's socket. Raises `CannotEnter`."""
    try:
        found = path.stat()
    except OSError as fault:
        message = f"No engine socket is at {path}: {fault.strerror}."
        raise CannotEnter(message, _OTHER_SOCKET) from None
    if not stat.S_ISSOCK(found.st_mode):
        raise CannotEnter(f"What is mounted at {path} is no socket.", _OTHER_SOCKET)
    if found.st_mode & 0o060 != 0o060:
        raise CannotEnter(
            f"The engine's socket is closed to its group ({stat.filemode(found.st_mode)}).",
            "Open it on the engine's host: chmod g+rw.",
        )
    return found.st_gid


def become(user: int, groups: Sequence[int]) -> None:
    """Leave root for good: the first group is the process's own, the others are added."""
    os.setgroups(list(groups))
    os.setgid(groups[0])
    os.setuid(user)


def ask_engine(path: Path) -> None:
    """Raise `CannotEnter` unless an engine answers behind the socket."""
    try:
        with socket.socket(socket.AF_UNIX) as stream:
            stream.settimeout(_ANSWER_SECONDS)
            stream.connect(str(path))
            stream.sendall(b"GET /_ping HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n")
            answer = stream.recv(64)
    except PermissionError:
        raise CannotEnter(
            f"The engine's socket {path} can't be used by its own group.",
            "A security module of the host may forbid it; its log says so.",
        ) from None
    except OSError as fault:
        raise CannotEnter(
            f"No engine answers behind {path}: {fault.strerror or fault}.", "Start the engine."
        ) from None
    if b" 200 " not in answer:
        raise CannotEnter(
            f"What answers behind {path} is no engine: {answer[:32]!r}.", _OTHER_SOCKET
        )


def main(arguments: Sequence[str]) -> None:
    """This process is the sandbox from now on; else exit status 3, with one line on stderr."""
    try:
        group = engine_group(ENGINE)
        if os.geteuid() == 0:
            become(USER, [API_GROUP, group])
        ask_engine(ENGINE)
    except CannotEnter as fault:
        print(f"error: {fault}", file=sys.stderr)
        raise SystemExit(3) from None
    os.environ["HOME"] = str(HOME)
    if BUNDLE.is_file():
        os.environ.setdefault("SEALED_CA_BUNDLE", str(BUNDLE))
    os.execv(sys.executable, [sys.executable, "-I", "-m", "sandbox", *arguments])


if __name__ == "__main__":
    main(sys.argv[1:])
