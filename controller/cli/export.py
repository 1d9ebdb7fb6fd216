"""`sealed export`: a run as a file for other programs."""

import sys
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

import msgspec
import typer

from controller.cli.experiments import plain
from controller.decision import has_score
from controller.ledger import Experiment, State
from controller.runs import find_run, reading
from controller.text import one_line

_COLUMNS = ("commit", "val_bpb", "memory_gb", "status", "description")
"""Of the original AutoResearch, whatever the metric is: its users' scripts ask for these names."""
_DESCRIPTION_LETTERS = 500


class Format(StrEnum):
    """What an export looks like."""

    tsv = "tsv"
    jsonl = "jsonl"
    receipts = "receipts"


def export_run(
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="Default: the newest.")] = None,
    format_: Annotated[
        Format,
        typer.Option("--format", help="A table as the original has it, JSON Lines, or receipts."),
    ] = Format.tsv,
) -> None:
    """Write a run's recorded experiments to stdout: `sealed export > results.tsv`."""
    with reading(find_run(run)) as (ledger, _):
        if format_ is Format.receipts:
            sys.stdout.writelines(f"{line}\n" for line in ledger.receipts())
            return
        recorded = [found for found in ledger.experiments() if found.state is State.recorded]
    if format_ is Format.jsonl:
        for experiment in recorded:
            sys.stdout.write(msgspec.json.encode(plain(experiment)).decode() + "\n")
    else:
        for row in results_rows(recorded):
            sys.stdout.write("\t".join(row) + "\n")


def results_rows(experiments: list[Experiment]) -> Iterator[tuple[str, ...]]:
    """The lines of results.tsv. As in the original, what has no score has 0 and `crash`.

    What was dethroned has the score that it had, and `discard`: there is no word for it.
    """
    yield _COLUMNS
    for experiment in experiments:
        score, memory, status = 0.0, 0.0, "crash"
        if has_score(experiment.outcome, experiment.score):
            score = experiment.score or 0.0
            memory = (experiment.peak_memory_bytes or 0) / 2**30
            status = "keep" if experiment.is_kept else "discard"
        yield (
            str(experiment.commit_id)[:7],
            f"{score:.6f}",
            f"{memory:.1f}",
            status,
            one_line(experiment.hypothesis, _DESCRIPTION_LETTERS),
        )
