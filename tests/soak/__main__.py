"""`make soak`: trials of a tiny task with kills and a lying engine. Writes `soak.json`.

SOAK_TRIALS (1000) says how many; SOAK_SEED which kills, lies and candidates: without it one is
drawn, and printed. Exit code 1 if anything leaked, was lost or done twice, or memory grows.

It runs on the engine that is there, in an instance of its own behind a proxy that lies to it
alone: it kills nothing but its own two processes, and removes nothing that is not its own.
"""

import os
import secrets
import signal
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from sandbox.engine import Engine
from tests.soak.report import of, tell
from tests.soak.storm import Storm

LEAST = 30


def main() -> int:
    """Soak, print, write."""
    trials = int(os.environ.get("SOAK_TRIALS") or 1000)
    if trials < LEAST:
        sys.exit(f"SOAK_TRIALS is {trials}; memory can't be told with fewer than {LEAST}.")
    seed = int(os.environ.get("SOAK_SEED") or secrets.randbelow(2**32))
    console = Console(width=100)
    for number in (signal.SIGINT, signal.SIGTERM):  # also in a shell's background: it clears up
        signal.signal(number, signal.default_int_handler)
    console.print(f"soak: {trials} trials, SOAK_SEED={seed}")
    socket = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        report = of(Storm(Path(folder), Engine(), socket, trials, seed).run(), seed)
    tell(report, console)
    Path("soak.json").write_bytes(report.json())
    return 0 if report.clean else 1


if __name__ == "__main__":
    sys.exit(main())
