"""An engine of the test's own, which it may kill: a second dockerd, with nothing shared but images.

It lives in a network namespace of its own, or it would delete the first engine's bridge. It runs
neither a network nor a firewall rule; the prepare role does without. Root only.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

IMAGES = ("sealed-agent", "sealed-scorer")
_UP_SECONDS = 60


class OwnEngine:
    """One dockerd with its containerd, below `folder`; killed as a whole, started again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._daemon: subprocess.Popen[bytes] | None = None
        self.url = f"unix://{folder}/docker.sock"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        words = [
            "unshare", "--net", "dockerd", "--bridge=none", "--iptables=false",
            f"--host={self.url}", f"--data-root={self._folder}/data",
            f"--exec-root={self._folder}/exec", f"--pidfile={self._folder}/docker.pid",
        ]  # fmt: skip
        # What a killed one leaves; a process that nobody reaped would count as alive.
        for left in ("docker.pid", "exec/containerd/containerd.pid"):
            (self._folder / left).unlink(missing_ok=True)
        with (self._folder / "dockerd.log").open("ab") as log:
            self._daemon = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + _UP_SECONDS
        while self._docker("version", check=False).returncode:
            log_text = (self._folder / "dockerd.log").read_text(errors="replace")
            assert self._daemon.poll() is None, log_text[-2000:]
            assert time.monotonic() < deadline, log_text[-2000:]
            time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL to dockerd and its containerd; containers and their shims live on."""
        assert self._daemon is not None
        for pid in (self._containerd(), self._daemon.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._daemon.wait()

    @property
    def pid(self) -> int:
        """Of dockerd, in whose network namespace its containers' host network is."""
        assert self._daemon is not None
        return self._daemon.pid

    def take_images(self) -> None:
        """Copy the role images of the engine that is there."""
        with subprocess.Popen(["docker", "save", *IMAGES], stdout=subprocess.PIPE) as saved:
            self._docker("load", "--quiet", stdin=saved.stdout)
        assert saved.returncode == 0

    def end(self) -> None:
        """Stop it for good, with all its containers."""
        assert self._daemon is not None
        if self._daemon.poll() is not None:
            self.start()  # a test failed before it did so
        left = self._docker("ps", "--all", "--quiet").stdout.split()
        if left:
            self._docker("rm", "--force", *left)
        self._daemon.terminate()  # which ends its containerd too
        self._daemon.wait(_UP_SECONDS)
        mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for path in reversed([path for path in mounted if Path(path).is_relative_to(self._folder)]):
            subprocess.run(["umount", path], check=True)

    def _containerd(self) -> int:
        return int((self._folder / "exec" / "containerd" / "containerd.pid").read_text())

    def _docker(
        self, *words: str, stdin: "object | None" = None, check: bool = True
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["docker", "--host", self.url, *words],
            stdin=stdin, check=check, capture_output=True, text=True, timeout=300,
        )  # type: ignore[call-overload,no-any-return]  # fmt: skip


@contextlib.contextmanager
def own_engine(folder: Path) -> Iterator[OwnEngine]:
    """One that runs and has the role images; nothing of it is left."""
    engine = OwnEngine(folder)
    engine.start()
    try:
        engine.take_images()
        yield engine
    finally:
        engine.end()
