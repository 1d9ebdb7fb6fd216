"""`sealed verify`: whether a run is what it says."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.connection import connected
from controller.cli.exits import Exit
from controller.cli.output import figure, print_json, print_table, say
from controller.cli.screen import Screen
from controller.runs import find_run
from sandbox.api import Progress, Stage
from sandbox.errors import DataAltered, UnknownTask

if TYPE_CHECKING:
    from controller.verify import Finding, Verified
    from controller.verify.rerun import Rerun


def verify_run(
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="Default: the newest.")] = None,
    key: Annotated[
        Path | None,
        typer.Option(help="The sandbox's public key; default: the one that lies with the run."),
    ] = None,
    data: Annotated[
        bool, typer.Option("--data", help="Hash the task's data too, in the sandbox that has it.")
    ] = False,
    again: Annotated[
        bool,
        typer.Option("--rerun", help="Train champion and baseline again, with fresh seeds."),
    ] = False,
    trials: Annotated[int, typer.Option(min=2, help="Of each of the two, with --rerun.")] = 5,
    json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Check receipts, ledger and repository of a run, and make every decision again.

    Needs the run's folder alone, a copied one too; --data and --rerun need a sandbox. Exit code 1:
    something is not as it should be, or the gain does not hold.
    """
    from msgspec import to_builtins
    from msgspec.structs import replace

    from controller.verify import verify  # signatures are slow to import, and most verbs need none
    from controller.verify.rerun import Claim, rerun

    folder = find_run(run)
    found, measured = verify(folder, key), None
    if data:
        found = replace(found, findings=[*found.findings, *_data(found)])
    if not json:
        _tell(found)
    if again and not found.findings:
        with connected() as sandbox, Screen(found.run, quiet=json) as screen:
            measured = rerun(folder, sandbox, trials, screen.progress)
    if json:
        print_json({**to_builtins(found), "rerun": measured})
    elif measured is not None:
        _tell_rerun(measured)
    if found.findings or (measured is not None and measured.claim is not Claim.holds):
        raise typer.Exit(Exit.failed)


def _data(found: "Verified") -> "list[Finding]":
    """Whether the data that the sandbox has is what was scored on. Raises `SandboxError`."""
    from controller.verify import Finding

    with connected() as sandbox, Screen(found.task, quiet=True) as screen:
        screen.progress(Progress(stage=Stage.hashing))
        try:
            task = sandbox.verify(found.task_hash, screen.progress)
        except (DataAltered, UnknownTask) as fault:
            return [Finding(problem=str(fault))]
    if [task.data] != found.data:
        return [Finding(problem="The prepared data is not what the run was scored on.")]
    return []


def _tell(found: "Verified") -> None:
    if found.findings:
        print_table(
            ("receipt", "experiment", "what is wrong"),
            [
                (_number(finding.receipt), _number(finding.experiment), finding.problem)
                for finding in found.findings
            ],
        )
        say(f"{found.run} is not what it says: {len(found.findings)} findings")
    else:
        say(
            f"{found.run} is what it says: {found.receipts} receipts of {found.trials} trials, "
            f"{found.experiments} experiments, {found.kept} kept"
            + (f" ({found.dethroned} dethroned)" if found.dethroned else "")
            + ", every decision made again"
        )
    say(f"key: {found.key}")
    if found.key_is_the_runs:
        say("It came with the run. `sealed doctor --key` where it was made shows whose it is.")


def _tell_rerun(found: "Rerun") -> None:
    from controller.verify.rerun import Claim

    words = {
        Claim.holds: "it holds"
        + (", and is smaller than claimed" if found.high < found.claimed else ""),
        Claim.refuted: "it does not hold",
        Claim.undecided: f"undecided; try --trials {4 * found.trials}",
    }
    say(
        f"rerun: experiment {found.champion} gains {figure(found.gain)} {found.metric} over the "
        f"baseline (95 %: {figure(found.low)} to {figure(found.high)}, {found.trials} trials "
        f"each); {figure(found.claimed)} was claimed: {words[found.claim]}"
    )


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)
