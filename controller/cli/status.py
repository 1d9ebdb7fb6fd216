"""`sealed status`: how a run stands."""

from typing import Annotated

import typer

from controller.cli.output import duration, figure, print_json
from controller.ledger import Wanted
from controller.runs import find_run
from controller.status import Status, status_of


def show_status(
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="Default: the newest.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """How a run stands: best, champion, counts, why it halted."""
    found = status_of(find_run(run))
    if json:
        print_json(found)
    else:
        _tell(found)


def _tell(found: Status) -> None:
    if found.driven and found.wanted is Wanted.paused:
        state = "paused" if found.current is None else "to be paused after this experiment"
    elif found.driven:
        state = "at work"
    elif found.halt is None:
        state = "killed; start it again with its --name to go on"
    else:
        state = f"halted ({found.halt}): {found.halt_detail}"
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in found.outcomes.items())
    limit = "" if found.limits.most_experiments is None else f" of {found.limits.most_experiments}"
    lines = {
        "run": f"{found.run}, task {found.task}, agent {found.agent}",
        "state": state,
        "best": f"{figure(found.best)} {found.metric} ({found.goal}), experiment {found.champion}"
        if found.champion is not None
        else "no score yet",
        "baseline": f"{figure(found.baseline)} {found.metric}",
        "noise": _noise(found),
        "vault": _vault(found),
        "experiments": f"{found.experiments}{limit}: {found.kept} kept"
        + (f"; {outcomes}" if outcomes else ""),
        "refused": ""
        if found.last_refusal is None
        else f"{found.refused} proposals, the last: {found.last_refusal.reason}",
        "accepted": ", ".join(sorted({accepted.finding for accepted in found.accepted})),
        "now": "" if found.current is None else f"experiment {found.current} is {found.state}",
        "time": duration(found.seconds)
        + ("" if found.limits.most_hours is None else f" of {found.limits.most_hours:g} h"),
    }
    for name, value in lines.items():
        if value:
            typer.echo(f"{name + ':':<13}{value}")


def _noise(found: Status) -> str:
    if found.noise is None:
        return ""
    return (
        f"seeds differ by {found.noise.deviation:.2g} {found.metric} "
        f"(95 %: {found.noise.low:.2g} to {found.noise.high:.2g}; {found.noise.trials} trials)"
    )


def _vault(found: Status) -> str:
    if found.vault is None:
        return ""
    told = (
        f"gain {figure(found.vault.vault)} where held-out has {figure(found.vault.held_out)}; "
        f"gap {found.vault.gap:.2g} (95 %: {found.vault.low:.2g} to {found.vault.high:.2g})"
    )
    if found.vault.alarm:
        told += " ALARM: the gap is beyond chance, so believe the vault; the loop fits its scorer"
    return told
