"""The first program of the sandbox's container: what it looks at, what it says, what it becomes."""

import contextlib
import os
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import enter


@contextlib.contextmanager
def engine(path: Path, answer: bytes, mode: int = 0o660) -> Iterator[Path]:
    """Something that answers one call behind a socket."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        path.chmod(mode)
        listener.listen()

        def serve() -> None:
            stream, _ = listener.accept()
            with stream:
                stream.recv(1024)
                stream.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield path
        thread.join(5)


@pytest.fixture
def entered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[object]:
    """What `main` does to its process, instead of doing it."""
    done: list[object] = []
    monkeypatch.setattr(enter, "ENGINE", tmp_path / "docker.sock")
    monkeypatch.setattr(enter, "BUNDLE", tmp_path / "bundle.pem")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "setgroups", lambda groups: done.append(("groups", groups)))
    monkeypatch.setattr(os, "setgid", lambda group: done.append(("group", group)))
    monkeypatch.setattr(os, "setuid", lambda user: done.append(("user", user)))
    monkeypatch.setattr(os, "execv", lambda _, words: done.append(tuple(words[1:])))
    monkeypatch.setenv("HOME", "/root")
    monkeypatch.delenv("SEALED_CA_BUNDLE", raising=False)
    return done


def test_it_becomes_its_user_in_two_groups_and_then_the_sandbox(
    entered: list[object], tmp_path: Path
) -> None:
    """Groups first, the user last: after that nothing can be changed any more."""
    with engine(tmp_path / "docker.sock", b"HTTP/1.1 200 OK\r\n\r\nOK") as path:
        enter.main(["serve"])
        group = path.stat().st_gid
    assert entered == [
        ("groups", [10_000, group]),
        ("group", 10_000),
        ("user", 10_002),
        ("-I", "-m", "sandbox", "serve"),
    ]
    assert os.environ["HOME"] == "/var/lib/sealed"
    assert "SEALED_CA_BUNDLE" not in os.environ


def test_certificates_that_are_mounted_are_the_prepare_roles(
    entered: list[object], tmp_path: Path
) -> None:
    """The sandbox is told where they lie, if they are there."""
    (tmp_path / "bundle.pem").write_text("a certificate")
    with engine(tmp_path / "docker.sock", b"HTTP/1.1 200 OK\r\n\r\nOK"):
        enter.main(["serve"])
    assert os.environ["SEALED_CA_BUNDLE"] == str(tmp_path / "bundle.pem")


@pytest.mark.parametrize(
    ("there", "says"),
    [
        ("nothing", "No engine socket is at"),
        ("folder", "is no socket"),
        ("closed", "is closed to its group"),
        ("other", "is no engine"),
        ("silent", "No engine answers behind"),
    ],
)
def test_what_is_wrong_is_one_line_with_the_next_step(
    there: str,
    says: str,
    entered: list[object],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No traceback: the line is all that a person sees in the service's log."""
    path = tmp_path / "docker.sock"
    with contextlib.ExitStack() as stack:
        match there:
            case "folder":
                path.mkdir()
            case "closed" | "silent":
                listener = stack.enter_context(socket.socket(socket.AF_UNIX))
                listener.bind(str(path))
                path.chmod(0o600 if there == "closed" else 0o660)
            case "other":
                stack.enter_context(engine(path, b"HTTP/1.1 404 Not Found\r\n\r\n"))
        with pytest.raises(SystemExit) as left:
            enter.main(["serve"])
    assert left.value.code == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert says in line
    assert "SEALED_ENGINE_SOCKET" in line or "Start the engine" in line or "chmod g+rw" in line
    assert not any(sys.executable in str(step) for step in entered)
