"""`sealed status`: how a run stands."""

from typing import Annotated

import typer

from controller.cli.output import duration, figure, print_json
from controller.ledger import Wanted
from controller.proposers import Proposer
from controller.runs import find_run
from controller.status import Limit, Status, status_of


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


def _cost(limit: Limit) -> str:
    """What models cost so far in one unit, with its limits."""
    text = f"{limit.used:.6g}" + ("" if limit.most is None else f" of {limit.most:g}")
    if limit.most_a_day is None:
        return f"{text} {limit.unit}"
    return f"{text} {limit.unit} (today {limit.today:.6g} of {limit.most_a_day:g})"


def _added(proposer: Proposer, metric: str) -> str:
    """What one proposer has added."""
    text = f"{proposer.kept} of {proposer.experiments} kept, gain {figure(proposer.gain)} {metric}"
    if proposer.interval is not None:
        text += f" (95 %: {figure(proposer.interval.low)} to {figure(proposer.interval.high)})"
    elif proposer.kept:
        text += " (too few for an interval)"
    if proposer.refused:
        text += f"; {proposer.refused} refused"
    return text + ("" if proposer.dollars is None else f"; {proposer.dollars:.4g} dollars")


def _tell(found: Status) -> None:
    if found.driven and found.wanted is Wanted.paused:
        state = "paused" if found.current is None else "to be paused after this experiment"
    elif found.waits_for is not None:
        state = f"paused: {found.waits_for} It goes on by itself"
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
        + (f", {found.dethroned} dethroned" if found.dethroned else "")
        + (f"; {outcomes}" if outcomes else ""),
        "refused": ""
        if found.last_refusal is None
        else f"{found.refused} proposals, the last: {found.last_refusal.reason}",
        "accepted": ", ".join(sorted({accepted.finding for accepted in found.accepted})),
        "now": "" if found.current is None else f"experiment {found.current} is {found.state}",
        "time": duration(found.seconds)
        + ("" if found.limits.most_hours is None else f" of {found.limits.most_hours:g} h"),
        "models": ", ".join(model.name for model in found.models),
        "cost": "; ".join(_cost(limit) for limit in found.costs),
    }
    if len(found.proposers) > 1 or found.models:
        lines |= {f"by {p.name}": _added(p, found.metric) for p in found.proposers}
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
