"""`sealed experiment`: what was tried in a run, and what came of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from msgspec import to_builtins

from controller.cli.output import (
    duration,
    figure,
    print_diff,
    print_items,
    print_json,
    print_table,
    size,
)
from controller.diff import MOST_LINES, diff_of
from controller.ledger import Experiment, Ledger, RunRow
from controller.runs import find_run, reading
from controller.text import printable
from controller.vault import purpose_of, revealed_trials

app = typer.Typer(help="Experiments of a run: list, show, diff, logs.")
_WHOLE = 1_000_000
"""Above every stored log, candidate and diff, in characters."""

Run = Annotated[
    str | None, typer.Argument(metavar="[RUN]", help="Default: the newest run.", show_default=False)
]
Number = Annotated[
    int | None, typer.Argument(metavar="[N]", help="Default: the last one.", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document.")]


@app.callback(invoke_without_command=True)
def experiments(context: typer.Context, json: Json = False) -> None:
    """Without a verb: list those of the newest run."""
    if context.invoked_subcommand is None:
        list_experiments(None, json)


@app.command("list")
def list_experiments(run: Run = None, json: Json = False) -> None:
    """All experiments of a run; number 0 is the baseline."""
    with reading(find_run(run)) as (ledger, row):
        found = ledger.experiments()
    if json:
        print_items([plain(experiment) for experiment in found])
        return
    print_table(
        ("n", "decision", "outcome", row.settings.metric, "gain", "seconds", "hypothesis"),
        [
            (
                str(experiment.number),
                experiment.verdict,
                str(experiment.outcome or "-"),
                figure(experiment.score),
                figure(experiment.gain),
                figure(experiment.seconds),
                experiment.hypothesis,
            )
            for experiment in found
        ],
    )


@app.command()
def show(run: Run = None, number: Number = None, json: Json = False) -> None:
    """One experiment in full."""
    with _chosen(run, number) as (ledger, row, experiment):
        candidate, metric = ledger.candidate(experiment.number), row.settings.metric
        cost, trials = ledger.cost_of(experiment.number), revealed_trials(ledger, experiment)
    if json:
        tried = [to_builtins(trial) for trial in trials]
        print_json({**plain(experiment), "tried": tried, "candidate": candidate, "cost": cost})
        return
    gain = "-"
    if experiment.gain is not None:
        gain = f"{figure(experiment.gain)} ± {experiment.standard_error:.2g} {metric}"
    if experiment.low is not None:
        gain += f", 95 %: {figure(experiment.low)} to {figure(experiment.high)}"
    lines = {
        "experiment": f"{experiment.number}, by {experiment.agent}",
        "decision": f"{experiment.decision or experiment.state}: {experiment.decision_reason}",
        "dethroned": ""
        if experiment.dethroned_by is None
        else f"dishonest in a trial that experiment {experiment.dethroned_by} asked for",
        "outcome": str(experiment.outcome or "-"),
        "score": f"{figure(experiment.score)} {metric}",
        "gain": gain,
        "rehearsal": f"{figure(experiment.rehearsal_score)} {metric}",
        "reason": experiment.trial_reason or "",
        "training": duration(experiment.seconds),
        "peak memory": f"at least {size(experiment.peak_memory_bytes)}",
        "champion": "-" if experiment.parent is None else f"experiment {experiment.parent}",
        "cost": f"{figure(cost.dollars)} dollars, {cost.tokens} tokens, {cost.calls} calls"
        if cost.calls
        else "",
        "commit": experiment.commit_id or "-",
    }
    for name, value in lines.items():
        if value:
            typer.echo(f"{name + ':':<13}{printable(value, _WHOLE)}")
    if len(trials) > 1:
        print_table(
            ("trial", "outcome", metric, "vault", "for"),
            [
                (
                    str(trial.number),
                    str(trial.outcome or "-"),
                    figure(trial.score),
                    figure(trial.vault_score),
                    purpose_of(trial),
                )
                for trial in trials
            ],
        )
    typer.echo(f"\n{printable(experiment.hypothesis, _WHOLE)}")


@app.command()
def diff(run: Run = None, number: Number = None, json: Json = False) -> None:
    """What a candidate changed in the champion that it was made from."""
    with _chosen(run, number) as (ledger, _, experiment):
        text = diff_of(ledger, experiment)
    if json:
        print_json({"number": experiment.number, "parent": experiment.parent, "diff": text})
    elif text is None:
        typer.echo(f"Not compared: a text has over {MOST_LINES} lines. `sealed experiment show`.")
    else:
        print_diff(printable(text, _WHOLE))


@app.command()
def logs(run: Run = None, number: Number = None, json: Json = False) -> None:
    """What a candidate wrote in training and rehearsal, head and tail."""
    with _chosen(run, number) as (ledger, _, experiment):
        log = ledger.log(experiment.number, _WHOLE)
    if json:
        fields = {"number": experiment.number, "log_bytes": experiment.log_bytes, "log": log}
        print_json(fields)
    else:
        typer.echo(printable(log, _WHOLE).rstrip("\n"))


def plain(experiment: Experiment) -> dict[str, object]:
    """An experiment as programs read it."""
    fields: dict[str, object] = to_builtins(experiment)
    del fields["message"]  # the commit has it
    return fields


@contextmanager
def _chosen(run: str | None, number: int | None) -> Iterator[tuple[Ledger, RunRow, Experiment]]:
    """`RUN N`, `RUN`, `N` or nothing; no run is named by digits alone."""
    if number is None and run is not None and run.isdecimal():
        number = int(run)
        run = None
    with reading(find_run(run)) as (ledger, row):
        last = ledger.experiments()[-1].number if number is None else number
        yield ledger, row, ledger.experiment(last)
