"""`python -m sandbox serve|reap`: the process that has the engine."""

import argparse
import contextlib
import fcntl
import signal
import sys
import time
from collections.abc import Iterator

from sandbox.config import Config, from_environment
from sandbox.containers.host import Host
from sandbox.containers.reaper import reap
from sandbox.errors import BadRequest, SandboxError
from sandbox.logs import configure
from sandbox.memory import keep_flat
from sandbox.server import serve
from sandbox.service import Service

LEAVING_SECONDS = 20
"""An earlier sandbox may still be removing its containers."""


@contextlib.contextmanager
def _sole(config: Config) -> Iterator[None]:
    """One sandbox a home: two would reap each other's containers."""
    config.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (config.home / "lock").open("w") as lock:
        deadline = time.monotonic() + LEAVING_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise BadRequest(
                        f"A sandbox with the state in {config.home} is running already.",
                        "Use it, or set SEALED_HOME.",
                    ) from None
                time.sleep(0.1)
        yield


def main() -> int:
    """Exit status 0, or 3 with one line on stderr that says what is wrong and what to do."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("verb", choices=["serve", "reap"])
    parser.add_argument(
        "--on-demand", action="store_true", help="end when the last client has left"
    )
    arguments = parser.parse_args()
    keep_flat()
    configure("sandbox")
    # Else a container's first process would not hear it before it serves.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        config = from_environment()
        with _sole(config):
            if arguments.on_demand:  # nobody else keeps what it says
                configure("sandbox", config.home / "sandbox.log")
            host = Host.of(config)
            if arguments.verb == "reap":
                reaped = reap(host.engine, host.instance)
                print(f"removed {reaped.containers} containers, {reaped.volumes} volumes")
                return 0
            try:
                service = Service(host)
            except SystemExit:
                reap(host.engine, host.instance)  # a look at the engine was cut short
                raise
            try:
                serve(service, config.socket, on_demand=arguments.on_demand)
            finally:
                service.close()
    except SandboxError as fault:
        print(f"{fault.kind}\t{fault.message}\t{fault.next_step}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
