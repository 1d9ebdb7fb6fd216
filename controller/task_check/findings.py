"""What the trials of a check say about a task: pure functions, with plain advice."""

import math
from collections.abc import Iterator
from statistics import median, stdev

from controller.decision.confirmed import least_gain
from controller.decision.noise import pooled
from controller.task_check.measure import Measured
from controller.text import one_line, sized, spoken
from sandbox.api import Check, Goal, Keep, Outcome, Task, TaskSettings, TrialResult, Verdict

_NIGHT_SECONDS = 8 * 3600
_FEW_EXPERIMENTS = 50
"""A night with fewer of them is more waiting than searching."""
_SPREADS = 3
"""How many standard deviations between seeds a gain should exceed."""
_NARROW = 10
"""With fewer of them from knowing nothing to the baseline, little can be told apart."""
_REASON = 160


def findings(task: Task, measured: Measured) -> list[Check]:
    """Every finding, in the order in which a reader wants them. A FAIL is no task for a loop."""
    first = measured.baseline[0]
    found = [
        _passed(
            "settings",
            f"{task.settings.goal} {task.settings.metric}, "
            f"{task.settings.budget_seconds:g} s a trial.",
        ),
        _passed("data", f"{task.files} files, {sized(task.data_bytes)}, as `prepare` wrote them."),
        _baseline(first, task.settings),
    ]
    if first.outcome is Outcome.scored:
        found += _metric(task.settings, measured)
        found += _cost(task.settings, measured.baseline)
    return found


# ---- the metric -------------------------------------------------------------------------------


def _baseline(first: TrialResult, settings: TaskSettings) -> Check:
    if first.outcome is not Outcome.scored:
        return _check(
            "baseline",
            Verdict.failed,
            f"It ends {first.outcome}: {one_line(first.reason, _REASON)}",
            "Mend train.py or prepare.py; `sealed try` shows the log.",
        )
    detail = (
        f"{_figure(first.score)} {settings.metric} over {first.examples} held-out examples; "
        f"{_figure(first.rehearsal_score)} in the rehearsal, "
        f"{_figure(first.vault_score)} in the vault."
    )
    if first.vault_score is None:
        return _check(
            "baseline",
            Verdict.warning,
            detail,
            "`score` does not work on the vault: look at its data.",
        )
    return _passed("baseline", detail)


def _metric(settings: TaskSettings, measured: Measured) -> Iterator[Check]:
    scores = [trial.score for trial in measured.baseline if trial.score is not None]
    sign = -1.0 if settings.goal is Goal.minimize else 1.0
    middle = median(scores)
    best: tuple[float, str] | None = None
    for way, tried in measured.trivial.items():
        score, kind = max(
            (
                (sign * trial.score, kind)
                for kind, trial in tried.items()
                if trial.score is not None
            ),
            default=(-math.inf, ""),
        )
        if kind:
            best = max(best or (score, kind), (score, kind))
            yield _passed(way, f"{_figure(sign * score)} {settings.metric} by answering {kind}.")
        else:
            last = list(tried.values())[-1]
            yield _passed(
                way, f"No score: it ends {last.outcome}: {one_line(last.reason, _REASON)}"
            )
    yield _direction(settings, middle, sign, best)
    yield _spread(settings, scores, None if best is None else sign * middle - best[0])


def _direction(
    settings: TaskSettings, middle: float, sign: float, best: tuple[float, str] | None
) -> Check:
    way = "Lower" if settings.goal is Goal.minimize else "Higher"
    if best is None:
        return _passed("direction", f"{way} is better; nothing scores without an honest answer.")
    told = f"{way} is better: the baseline has {_figure(middle)}, answering {best[1]} "
    told += f"{_figure(sign * best[0])}."
    if sign * middle > best[0]:
        return _passed("direction", told)
    return _check(
        "direction",
        Verdict.failed,
        f"{told} What knows nothing wins.",
        "Turn `goal` round if it is the wrong way, or score what a model must know something for.",
    )


def _spread(settings: TaskSettings, scores: list[float], span: float | None) -> Check:
    noise = stdev(scores)
    told = f"{len(scores)} seeds: {_figure(min(scores))} to {_figure(max(scores))}, "
    told += f"standard deviation {noise:.2g}"
    if span is not None and noise:
        told += f"; from knowing nothing to the baseline it is {span / noise:.0f} times that"
    if span is not None and noise and span < _NARROW * noise:
        return _check(
            "spread",
            Verdict.warning,
            f"{told}.",
            "Seeds differ by so much that gains can hardly be told from luck: more held-out "
            "examples, a longer budget, or a steadier train.py.",
        )
    if settings.keep is Keep.confirmed:
        least = least_gain(pooled([scores]), settings.noise_seeds, settings)
        return _passed("spread", f"{told}; `confirmed` can tell gains of {least:.2g} from luck.")
    if settings.min_gain < _SPREADS * noise:
        return _check(
            "spread",
            Verdict.warning,
            f"{told}; min_gain is {settings.min_gain:g}.",
            f"Luck passes: set min_gain to {_SPREADS * noise:.1g} or more, take "
            "`keep: confirmed`, or make the score steadier.",
        )
    return _passed("spread", f"{told}; min_gain is {settings.min_gain:g}.")


# ---- what a trial costs -----------------------------------------------------------------------


def _cost(settings: TaskSettings, trials: list[TrialResult]) -> Iterator[Check]:
    stages = {
        name: median(trial.stage_seconds.get(name, 0.0) for trial in trials)
        for name in ("building", "training", "rehearsing", "scoring")
    }
    # The set of the next trial is built while this one runs; what is waited for is in `building`.
    whole = sum(stages.values())
    told = ", ".join(f"{name} {seconds:.1f}" for name, seconds in stages.items())
    yield _passed("seconds", f"{told}; {whole:.1f} in all.")
    count = _NIGHT_SECONDS / max(0.1, whole)
    few = count < _FEW_EXPERIMENTS
    yield _check(
        "experiments",
        Verdict.warning if few else Verdict.passed,
        f"About {count:.0f} in 8 hours, each tried once.",
        "Shorten the budget: a search needs many tries." if few else "",
    )
    asking, budget = stages["rehearsing"] + stages["scoring"], settings.budget_seconds
    slow = asking > max(budget, 1.0)
    yield _check(
        "scoring",
        Verdict.warning if slow else Verdict.passed,
        f"Rehearsing and scoring take {asking / budget:.2g} times the training's budget.",
        "Ask in larger batches (`ask_all`, several examples a question), or of fewer examples, "
        "or give training more seconds."
        if slow
        else "",
    )
    seconds = median(trial.seconds for trial in trials)
    yield _passed("budget", f"It trained for {spoken(seconds)} of {budget:g} s.")
    peak = max(trial.peak_memory_bytes for trial in trials)
    tight = peak > 0.8 * settings.memory_mib * 2**20
    yield _check(
        "memory",
        Verdict.warning if tight else Verdict.passed,
        f"It was seen with {sized(peak)} of {settings.memory_mib} MiB.",
        "Raise memory_mib: a candidate that needs a little more would end over_memory."
        if tight
        else "",
    )


def _passed(name: str, detail: str) -> Check:
    return _check(name, Verdict.passed, detail, "")


def _check(name: str, verdict: Verdict, detail: str, next_step: str) -> Check:
    return Check(name=name, verdict=verdict, measured=True, detail=detail, next_step=next_step)


def _figure(score: float | None) -> str:
    return "none" if score is None else f"{score:.6g}"
