"""What each page shows, as structs: the page and the `.json` beside it are made of the same one.

Exact scores and the operator's reasons are in here, so nothing of it is for an agent: what agents
may read is made in `controller/visible.py`. Texts are as the ledger has them; `words.shown` makes
them safe where they leave.
"""

import math
import sqlite3
from pathlib import Path

import msgspec
from msgspec import Struct

from controller.decision import Decision
from controller.diff import diff_of
from controller.errors import ControllerError, NotFound
from controller.ledger import Experiment, Model, Refusal, RunLimits, State, Trial
from controller.proposers import Proposer
from controller.runs import LEDGER, created, reading, runs_root
from controller.status import Limit, NoiseFloor, Status, status_of
from controller.supervisor import Serving
from controller.vault import Gap, revealed_trials
from controller.web import standing
from controller.web.chart import Point
from controller.web.standing import Standing
from controller.web.words import TEXT_LETTERS
from sandbox.api import Goal, Outcome

PAGE_ROWS = 100
_REFUSALS = 20
"""How many of the refused proposals are shown, the newest."""


class Row(Struct, frozen=True, kw_only=True):
    """An experiment in a list."""

    number: int
    state: State
    decision: Decision | None
    verdict: str
    """The decision, `dethroned` where it was kept and is not any more, or the state."""
    outcome: Outcome | None
    score: float | None
    gain: float | None
    """Over the champion of its time, in the metric's unit; negative is worse."""
    standard_error: float | None
    seconds: float | None
    """Of the trainer."""
    hypothesis: str
    proposed_at: str
    decided_at: str | None


class Best(Struct, frozen=True, kw_only=True):
    """The champion, and what it is better than the task's own train.py."""

    number: int
    score: float | None
    gain: float | None
    percent: float | None
    """The gain in per cent of the baseline's score."""
    decided_at: str | None
    hypothesis: str


class RunView(Struct, frozen=True, kw_only=True):
    """One run, with a page of its experiments."""

    run: str
    task: str
    metric: str
    goal: Goal
    agent: str
    created_at: str
    driven: bool
    standing: Standing
    current: Row | None
    """The experiment that is not finished."""
    best: Best | None
    baseline: float | None
    noise: NoiseFloor | None
    vault: Gap | None
    experiments: int
    """After the baseline, finished ones; so are the next four."""
    kept: int
    dethroned: int
    since_kept: int
    outcomes: dict[Outcome, int]
    seconds: float
    """Of all sessions."""
    limits: RunLimits
    models: list[Model]
    """What the agent llm asks; none for other agents."""
    costs: list[Limit]
    proposers: list[Proposer]
    refused: int
    refusals: list[Refusal]
    """Proposals that were no candidates, the newest first, at most twenty."""
    scores: list[Point]
    """All scores by number, the baseline first."""
    last: int
    """The highest number of an experiment."""
    page: int
    pages: int
    rows: list[Row]
    """The page's experiments, the newest first."""


class ExperimentView(Struct, frozen=True, kw_only=True):
    """All that is known of one experiment, but its commit's text."""

    run: str
    task: str
    metric: str
    goal: Goal
    driven: bool
    last: int
    experiment: Experiment
    verdict: str
    trials: list[Trial]
    """Of its candidate; scores on the vault are there of kept ones alone."""
    baseline: bool
    diff: str | None
    """From the champion that it was made from; None: too many lines to compare here."""
    log: str
    candidate: str


class RunLine(Struct, frozen=True, kw_only=True):
    """A run in the list of runs."""

    run: str
    created_at: str
    status: Status | None
    standing: Standing | None
    best: Best | None
    problem: str = ""
    """Why its ledger can't be read."""


class Index(Struct, frozen=True, kw_only=True):
    """What the process that serves the page is about, and the run that is shown for it."""

    serving: Serving | None
    standing: Standing | None
    """Of the process, where no run of its own can be shown for it."""
    run: RunView | None


def index(serving: Serving | None) -> Index:
    """The run that is served, else the newest, else none."""
    name = serving.run if serving is not None and serving.run is not None else _newest()
    try:
        run = None if name is None else run_view(name, serving)
    except NotFound:  # removed just now
        run = None
    apart = serving is not None and (run is None or serving.run != run.run)
    return Index(
        serving=serving,
        standing=standing.of_serving(serving) if apart and serving is not None else None,
        run=run,
    )


def run_view(name: str, serving: Serving | None, page: int = 1) -> RunView:
    """Raises `NotFound`."""
    folder = folder_of(name)
    status = status_of(folder)
    with reading(folder) as (ledger, _):
        unfinished, champion = ledger.unfinished(), ledger.champion()
        tally, refusals, scores = ledger.tally(), ledger.refusals(), ledger.scores()
        last = tally.experiments if unfinished is None else unfinished.number
        pages = math.ceil((last + 1) / PAGE_ROWS)
        if not 1 <= page <= pages:
            raise NotFound(f"The experiments of {name} have no page {page}.", f"There are {pages}.")
        newest = last - (page - 1) * PAGE_ROWS
        shown = ledger.experiments(max(0, newest - PAGE_ROWS + 1), newest)
    return RunView(
        run=name,
        task=status.task,
        metric=status.metric,
        goal=status.goal,
        agent=status.agent,
        created_at=status.created_at,
        driven=status.driven,
        standing=standing.of_run(status, _of(serving, name)),
        current=None if unfinished is None else _row(unfinished),
        best=_best(status, champion),
        baseline=status.baseline,
        noise=status.noise,
        vault=status.vault,
        experiments=status.experiments,
        kept=status.kept,
        dethroned=status.dethroned,
        since_kept=tally.since_kept,
        outcomes=status.outcomes,
        seconds=status.seconds,
        limits=status.limits,
        models=status.models,
        costs=status.costs,
        proposers=status.proposers,
        refused=status.refused,
        refusals=refusals[: -_REFUSALS - 1 : -1],
        scores=[
            Point(number=found.number, score=found.score, kept=found.kept)
            for found in scores
            if unfinished is None or found.number != unfinished.number
        ],
        last=last,
        page=page,
        pages=pages,
        rows=[_row(experiment) for experiment in reversed(shown)],
    )


def experiment_view(name: str, number: int) -> ExperimentView:
    """Raises `NotFound`."""
    folder = folder_of(name)
    status = status_of(folder)
    with reading(folder) as (ledger, _):
        try:
            experiment = ledger.experiment(number)
        except NotFound as fault:
            raise NotFound(fault.message, f"/runs/{name} has the list.") from None
        unfinished = ledger.unfinished()
        return ExperimentView(
            run=name,
            task=status.task,
            metric=status.metric,
            goal=status.goal,
            driven=status.driven,
            last=status.experiments if unfinished is None else unfinished.number,
            experiment=msgspec.structs.replace(experiment, message=None),
            verdict=experiment.verdict,
            trials=revealed_trials(ledger, experiment),
            baseline=number == 0,
            diff=diff_of(ledger, experiment),
            log=ledger.log(number, TEXT_LETTERS),
            candidate=ledger.candidate(number),
        )


def run_lines(serving: Serving | None) -> list[RunLine]:
    """All runs, the newest first; those that can't be read are last, with the reason."""
    lines = []
    for name in run_names():
        try:
            status = status_of(runs_root() / name)
            with reading(runs_root() / name) as (ledger, _):
                champion = ledger.champion()
        except (ControllerError, OSError, sqlite3.Error) as fault:
            lines.append(
                RunLine(
                    run=name,
                    created_at="",
                    status=None,
                    standing=None,
                    best=None,
                    problem=problem_of(fault),
                )
            )
        else:
            lines.append(
                RunLine(
                    run=name,
                    created_at=status.created_at,
                    status=status,
                    standing=standing.of_run(status, _of(serving, name)),
                    best=_best(status, champion),
                )
            )
    return sorted(lines, key=lambda line: line.created_at, reverse=True)


def run_names() -> list[str]:
    """Names of the folders that have a ledger."""
    return sorted(file.parent.name for file in runs_root().glob(f"*/{LEDGER}"))


def folder_of(name: str) -> Path:
    """A run's folder by its name, which came with a request. Raises `NotFound`.

    It must be one of the names that the folder of all runs has, so it can be no path.
    """
    known = name in {file.name for file in runs_root().glob("*")}
    if not known or not (runs_root() / name / LEDGER).exists():
        raise NotFound(f"There is no run {name[:64]}.", "/runs has the list.")
    return runs_root() / name


def problem_of(fault: Exception) -> str:
    """An error of reading a ledger, in words."""
    if isinstance(fault, ControllerError):
        return str(fault)
    return f"The ledger can't be read: {fault}."


def _newest() -> str | None:
    """The newest run that can be read."""
    dated = []
    for name in run_names():
        try:
            row = created(runs_root() / name)
        except (ControllerError, OSError, sqlite3.Error):
            continue  # the list of runs says so
        if row is not None:
            dated.append((row.created_at, name))
    return max(dated)[1] if dated else None


def _of(serving: Serving | None, name: str) -> Serving | None:
    return serving if serving is not None and serving.run == name else None


def _best(status: Status, champion: Experiment | None) -> Best | None:
    if champion is None:
        return None
    gain = percent = None
    if champion.score is not None and status.baseline is not None:
        better = -1.0 if status.goal is Goal.minimize else 1.0
        gain = better * (champion.score - status.baseline) + 0.0
        percent = 100 * gain / abs(status.baseline) if status.baseline else None
    return Best(
        number=champion.number,
        score=champion.score,
        gain=gain,
        percent=percent,
        decided_at=champion.decided_at,
        hypothesis=champion.hypothesis,
    )


def _row(experiment: Experiment) -> Row:
    return msgspec.convert(experiment, Row, from_attributes=True)
