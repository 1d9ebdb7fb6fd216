"""Measuring an experiment: its trials, the champion's beside them, and what compares the two.

What comes next is asked of the rule, with what the ledger has; so each step is found again after a
kill, and a step that is done twice has the effect of one.
"""

from contextlib import suppress

from msgspec.structs import replace

from controller.decision import (
    COUNTED,
    Ask,
    Evidence,
    Judgement,
    Look,
    Tried,
    counted,
    is_finite,
)
from controller.decision.rules import baseline_trials, judge, judge_baseline
from controller.ledger import Experiment, Ledger, Trial
from controller.run import Run
from controller.trial import Stopped, run_trial
from sandbox.api import Comparison, OnProgress, Progress, Sandbox, TaskSettings, TrialRequest
from sandbox.errors import BadRequest


def judged(ledger: Ledger, settings: TaskSettings, experiment: Experiment) -> Judgement | Ask:
    """The decision on an experiment, or what is missing for it."""
    if experiment.parent is None:
        return judge_baseline(_tried(ledger.trials(experiment.number)), settings)
    return judge(evidence(ledger, experiment), settings)


def evidence(ledger: Ledger, experiment: Experiment) -> Evidence:
    """What the ledger has for the decision on a candidate."""
    number, champion = experiment.number, int(experiment.parent or 0)
    sizes = {n: len(ledger.candidate(n).encode()) for n in (number, champion)}
    return Evidence(
        candidate=_tried(_own(ledger, number)),
        top_ups=_tried(ledger.top_ups(number)),
        champions=[
            [trial.score for trial in trials if trial.score is not None]
            for trials in _champions(ledger, number)
        ],
        looks=ledger.looks(number),
        candidate_bytes=sizes[number],
        champion_bytes=sizes[champion],
    )


def measure(run: Run, sandbox: Sandbox, experiment: Experiment, on_progress: OnProgress) -> None:
    """Do what the rule asks for, until it can decide.

    Raises `Stopped`, `BadCandidate`, and what else the sandbox raises.
    """
    ledger, number = run.ledger, experiment.number
    while True:
        if trial := ledger.unfinished_trial(number):
            _run(run, sandbox, trial, on_progress)
        match judged(ledger, run.row.settings, experiment):
            case Judgement():
                ledger.measure(experiment)
                return
            case Ask.comparison:
                look = _look(run, sandbox, experiment)
                ledger.add_look(number, look, run.new_receipts(sandbox))
            case Ask.candidate:
                _begin(run, of=number, asked_by=number)
            case Ask.champion:
                _begin(run, of=int(experiment.parent or 0), asked_by=number)


def _begin(run: Run, *, of: int, asked_by: int) -> None:
    trial = run.ledger.last_trial(of) + 1
    key = run.trial_key(of, trial)
    run.ledger.begin_trial(key, experiment=of, number=trial, asked_by=asked_by)


def _run(run: Run, sandbox: Sandbox, trial: Trial, on_progress: OnProgress) -> None:
    request = TrialRequest(
        key=trial.key,
        task=run.row.task_hash,
        candidate=run.ledger.candidate(trial.experiment),
        vault=trial.number > 1,
        run=run.row.id,
        accepted=tuple(sorted({found.finding for found in run.ledger.accepted()})),
    )
    what = _in_words(trial, run.row.settings)

    def tell(progress: Progress) -> None:
        detail = ", ".join(part for part in (what, progress.detail) if part)
        progress = replace(progress, detail=detail)
        run.ledger.begin_stage(trial.asked_by, progress)
        on_progress(progress)

    if run.is_stopped():
        raise Stopped
    result = run_trial(sandbox, request, tell, run.is_stopped)
    run.ledger.finish_trial(result, run.new_receipts(sandbox))


def _look(run: Run, sandbox: Sandbox, experiment: Experiment) -> Look:
    """Compare the confirming trials with all of the champion, or the screen's with what it had."""
    ledger = run.ledger
    own = _own(ledger, experiment.number)
    champion = _champions(ledger, experiment.number)[-1]
    champion += [t for t in ledger.top_ups(experiment.number) if t.score is not None]
    candidate = own[1:] or own
    comparison: Comparison | None = None
    # A scorer that gives another number of values than before must not stop the run.
    with suppress(BadRequest):
        first, second = ([t.key for t in side] for side in (candidate, champion))
        comparison = sandbox.compare(first, second, run.row.id)
    return Look(
        candidate_trials=len(candidate),
        champion_trials=len(champion),
        comparison=comparison if comparison is not None and is_finite(comparison) else None,
    )


def _own(ledger: Ledger, number: int) -> list[Trial]:
    """The trials that an experiment asked for, of its own candidate."""
    return [trial for trial in ledger.trials(number) if trial.asked_by == number]


def _champions(ledger: Ledger, number: int) -> list[list[Trial]]:
    """By champion, the present one last; its screen is left out where it has other trials.

    Of a champion with many trials the latest ones are `counted`.
    """
    found = []
    for champion in ledger.champions(number):
        scored = ledger.scored_before(number, champion, COUNTED + 1)
        chosen = [t for t in scored if t.number > 1 or champion == 0]
        found.append(counted(chosen or scored))
    return found


def _tried(trials: list[Trial]) -> list[Tried]:
    return [Tried(t.outcome, t.score) for t in trials if t.outcome is not None]


def _in_words(trial: Trial, settings: TaskSettings) -> str:
    """What a trial is for; the first of a candidate is what everybody expects."""
    if trial.asked_by == 0 and (count := baseline_trials(settings)) > 1:
        return f"noise floor, seed {trial.number} of {count}"
    if trial.asked_by != trial.experiment:
        return f"champion {trial.experiment} again, to compare with"
    return f"confirming, trial {trial.number - 1}" if trial.number > 1 else ""
