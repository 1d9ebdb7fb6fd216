"""`sealed run`: drive a run until it halts."""

import secrets
from pathlib import Path
from typing import Annotated

import typer

from controller.agents import Kind, find_source, make_agent
from controller.cli.connection import connected
from controller.cli.exits import Exit
from controller.cli.output import complain, figure
from controller.cli.screen import Screen
from controller.errors import Unusable
from controller.ledger import Halt, NewRun, RunRow
from controller.loop import Loop
from controller.run import Run
from controller.runs import claimed, created, reading
from controller.task import find_task, read_task
from sandbox.api import TaskFiles

_DONE = {Halt.experiments, Halt.hours, Halt.exhausted}


def run_task(
    task: Annotated[str, typer.Argument(metavar="TASK", help="A task's folder.")],
    name: Annotated[
        str | None, typer.Option(help="Of the run; the name of one that exists goes on with it.")
    ] = None,
    agent: Annotated[Kind | None, typer.Option(help="What proposes; default: search.")] = None,
    source: Annotated[
        str | None, typer.Option("--from", metavar="PATH|RUN", help="What a replay proposes.")
    ] = None,
    experiments: Annotated[
        int | None, typer.Option(min=0, help="Halt after so many, the baseline not counted.")
    ] = None,
    hours: Annotated[
        float | None, typer.Option(min=0, help="Halt after so many hours of running.")
    ] = None,
) -> None:
    """Improve a task's train.py: propose, run, score, decide, record, and again.

    Interrupted or killed, it goes on where it was when it is started again with its --name.
    """
    files = read_task(find_task(task))
    origin = None if source is None else find_source(source)
    with claimed(files.name, name) as folder:
        earlier = created(folder)
        if earlier is not None:
            _check_same(folder, earlier, files, agent, origin)
            agent, origin = Kind(earlier.agent), earlier.agent_source
        identity = secrets.token_hex(8) if earlier is None else earlier.id
        agent = agent or Kind.search
        proposer = make_agent(agent, seed=identity, train=files.train, source=origin)
        with connected() as sandbox, Screen(files.name) as screen:
            prepared = sandbox.prepare(files, screen.progress)
            sandbox.verify(prepared.hash, screen.progress)
            new = NewRun(
                id=identity,
                task_name=files.name,
                task_hash=prepared.hash,
                program=files.program,
                prepare=files.prepare,
                settings=prepared.settings,
                agent=agent,
                agent_source=origin,
                most_experiments=experiments,
                most_hours=hours,
            )
            with Run.opened(folder, new if earlier is None else None, files.train) as opened:
                opened.limit(most_experiments=experiments, most_hours=hours)
                screen.metric = prepared.settings.metric
                verb = "begins" if earlier is None else "goes on"
                screen.say(f"run {folder.name} {verb} in {folder}")
                try:
                    end = Loop(opened, proposer, sandbox, screen).drive()
                except KeyboardInterrupt:
                    screen.say(f"`sealed run {task} --name {folder.name}` goes on from here.")
                    raise
    typer.echo(f"halted: {end.detail}")
    _tell_end(folder)
    if end.halt not in _DONE:
        complain(end.detail, f"Look at `sealed experiment logs {folder.name}`.")
        raise typer.Exit(Exit.failed)


def _check_same(
    folder: Path, earlier: RunRow, files: TaskFiles, agent: Kind | None, origin: str | None
) -> None:
    """A run keeps its task and its agent: scores of two tasks can't be compared."""
    with reading(folder) as (ledger, _):
        train = ledger.candidate(0)
    if (earlier.program, train, earlier.prepare) != (files.program, files.train, files.prepare):
        raise Unusable(
            f"The run {folder.name} began with other files of the task {earlier.task_name}.",
            "Give another --name, or leave it out for a new run.",
        )
    if (agent or earlier.agent) != earlier.agent or (origin or earlier.agent_source) != (
        earlier.agent_source
    ):
        raise Unusable(
            f"The run {folder.name} began with the agent {earlier.agent}"
            f"{f' from {earlier.agent_source}' if earlier.agent_source else ''}.",
            "Leave --agent and --from out, or give another --name.",
        )


def _tell_end(folder: Path) -> None:
    with reading(folder) as (ledger, row):
        champion = ledger.champion()
        if champion is None:
            return
        metric, baseline = row.settings.metric, ledger.experiment(0).score
        typer.echo(
            f"best: {figure(champion.score)} {metric} by experiment {champion.number}; "
            f"the baseline has {figure(baseline)}\n"
            f"see: sealed experiment list {folder.name}\n"
            f"     git -C {folder / 'repository'} log -p main"
        )
