"""The real processes, stopped at a state of an experiment, so that a test can kill them there.

`python -m tests.support.walked sandbox serve` is `python -m sandbox serve`, and `controller TASK N`
in its place is what `sealed serve` runs beside its page, for N experiments. In the folder WALKED
the test writes the point that it waits for; the process that comes to it says so, and goes no
further while the test waits for that point. Nothing of this is in the programs themselves.

The soak runs the sandbox so too, without a point to stop at: it is told how many uids are out.

Points are `state:experiment` for states of the ledger, and `stage:experiment` for those of a trial.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sandbox.api import Stage

WITHOUT_AGENT_CODE = (Stage.waiting, Stage.building)
"""Stages that a process is stopped in when they begin; in others it is when agent code runs."""

_FOLDER = Path(os.environ.get("WALKED", "."))


def stop_at(point: str) -> None:
    """Tell the test, and wait, if it waits for this point."""
    wanted = _FOLDER / "wanted"
    if point and wanted.read_text() == point:
        (_FOLDER / "reached").write_text(point)
        while wanted.read_text() == point:
            time.sleep(0.01)


def walk_controller(task: str, experiments: str) -> None:
    """Stop after each change of the ledger that brought an experiment to the state."""
    from controller import supervisor
    from controller.cli import interrupts
    from controller.cli.connection import connected
    from controller.driver import Order
    from controller.ledger import Ledger, RunLimits

    change: Callable[..., Any] = Ledger._change

    @contextmanager
    def stopping(ledger: Ledger) -> Iterator[None]:
        with change(ledger):
            yield
        last = ledger.experiments()[-1]
        stop_at(f"{last.state}:{last.number}")

    Ledger._change = stopping  # type: ignore[method-assign]
    supervisor.WAIT_SECONDS = (0.2,)
    interrupts.install()
    order = Order(task=task, limits=RunLimits(most_experiments=int(experiments)))
    try:
        supervisor.Supervisor(order, connected).run()
    except KeyboardInterrupt:
        interrupts.ended()


def walk_sandbox() -> int:
    """Stop in each stage: when it begins, or once its candidate was let go."""
    from sandbox.__main__ import main
    from sandbox.api import OnProgress, Progress, TrialRequest, TrialResult
    from sandbox.containers.container import RoleContainer
    from sandbox.service import Service

    run, release, close = Service.run, RoleContainer.release, Service.close
    point = ""

    def walked_run(service: Service, request: TrialRequest, on: OnProgress) -> TrialResult:
        def on_progress(progress: Progress) -> None:
            nonlocal point
            on(progress)
            point = f"{progress.stage}:{request.key.split('-')[1]}"
            if progress.stage in WITHOUT_AGENT_CODE:
                stop_at(point)

        return run(service, request, on_progress)

    def walked_release(container: RoleContainer, seconds: float, candidate: bytes) -> float:
        released = release(container, seconds, candidate)
        stop_at(point)
        return released

    def walked_close(service: Service) -> None:
        close(service)
        (_FOLDER / "uids").write_text(str(service._host.uids.leased))

    Service.run = walked_run  # type: ignore[method-assign]
    RoleContainer.release = walked_release  # type: ignore[method-assign]
    Service.close = walked_close  # type: ignore[method-assign]
    return main()


if __name__ == "__main__":
    what = sys.argv.pop(1)
    raise SystemExit(walk_sandbox() if what == "sandbox" else walk_controller(*sys.argv[1:]))
