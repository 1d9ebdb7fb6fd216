"""Which rule a task has, and how its first champion is measured."""

from collections.abc import Sequence

from controller.decision import (
    Ask,
    Decision,
    Evidence,
    Judgement,
    Tried,
    confirmed,
    has_score,
    margin,
    naive,
    scores_of,
    unscored,
)
from controller.decision.noise import pooled
from sandbox.api import Keep, TaskSettings

_RULES = {Keep.confirmed: confirmed.judge, Keep.margin: margin.judge, Keep.naive: naive.judge}


def judge(found: Evidence, settings: TaskSettings) -> Judgement | Ask:
    """Decide on a candidate by the task's rule, or say what is missing."""
    return _RULES[settings.keep](found, settings)


def baseline_trials(settings: TaskSettings) -> int:
    """How many trials the baseline has before any candidate: its noise floor, or just a score."""
    return settings.noise_seeds if settings.keep is Keep.confirmed else 1


def judge_baseline(trials: Sequence[Tried], settings: TaskSettings) -> Judgement | Ask:
    """The first champion is the baseline, if all its trials have a score."""
    for trial in trials:
        if not has_score(trial.outcome, trial.score):
            return unscored(trial.outcome)
    if len(trials) < baseline_trials(settings):
        return Ask.candidate
    reason = "The baseline is the first champion."
    if settings.keep is Keep.confirmed:
        reason += f" {in_words(trials, settings)}"
    return Judgement(decision=Decision.kept, reason=reason)


def in_words(trials: Sequence[Tried], settings: TaskSettings) -> str:
    """What the noise floor means for the gains that can be found."""
    noise = pooled([scores_of(trials)])
    low, high = noise.interval()
    told = (
        f"Noise floor: with {len(trials)} seeds its scores have a standard deviation of "
        f"{noise.deviation:.2g} {settings.metric} (95 %: {low:.2g} to {high:.2g})."
    )
    if not noise.variance:
        return f"{told} Nothing here depends on luck."
    least = confirmed.least_gain(noise, len(trials), settings)
    return f"{told} Gains under {least:.2g} {settings.metric} can't be told from luck here."
