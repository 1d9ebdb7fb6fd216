"""What the trials of a check say about a task: pure functions, with plain advice."""

import math
from collections.abc import Iterator, Sequence
from statistics import fmean, median, stdev

from controller.decision.confirmed import least_gain
from controller.decision.noise import Noise, pooled
from controller.task_check.measure import Measured
from controller.task_check.power import least, power
from controller.text import one_line, sized, spoken
from sandbox.api import Check, Goal, Keep, Outcome, Task, TaskSettings, TrialResult, Verdict

_NIGHT_SECONDS = 8 * 3600
_FEW_EXPERIMENTS = 50
"""A night with fewer of them is more waiting than searching."""
_SPREADS = 3
"""How many standard deviations between seeds a gain should exceed."""
_NARROW = 10
"""With fewer of them from knowing nothing to the baseline, little can be told apart."""
_DROWNED = 2
"""With fewer still, nothing can."""
_SCORER_SOME, _SCORER_MOST = 0.05, 0.5
"""By how much the same answers may differ in score, as a share of that span."""
_SIZES = (1, 2, 4)
"""Gains that are tried on the rule, as multiples of the noise of one trial."""
_REASON = 160


def findings(task: Task, survey: Sequence[Check], measured: Measured) -> list[Check]:
    """Every finding, in the order in which a reader wants them. A FAIL is no task for a loop.

    `survey`: what the sandbox found in the data and the agent image.
    """
    first = measured.baseline[0]
    found = [
        _passed(
            "settings",
            f"{task.settings.goal} {task.settings.metric}, "
            f"{task.settings.budget_seconds:g} s a trial.",
        ),
        _passed("data", f"{task.files} files, {sized(task.data_bytes)}, as `prepare` wrote them."),
        *survey,
        _baseline(first, task.settings),
    ]
    if first.outcome is Outcome.scored:
        found += _metric(task.settings, measured)
        found += _gains(task.settings, measured)
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
    span = None if best is None else sign * middle - best[0]
    error = 0.0
    if best is not None and best[1] in measured.against:
        error = math.hypot(measured.against[best[1]].standard_error, stdev(scores))
    yield _direction(settings, middle, sign, best, error)
    yield from _again(measured, span)
    yield _spread(settings, scores, span, _error(measured))


def _direction(
    settings: TaskSettings,
    middle: float,
    sign: float,
    best: tuple[float, str] | None,
    error: float,
) -> Check:
    """`error` is the standard error of the best one's lead over the baseline; 0: not known."""
    way = "Lower" if settings.goal is Goal.minimize else "Higher"
    if best is None:
        return _passed("direction", f"{way} is better; nothing scores without an honest answer.")
    told = f"{way} is better: the baseline has {_figure(middle)}, answering {best[1]} "
    told += f"{_figure(sign * best[0])}."
    if sign * middle > best[0]:
        return _passed("direction", told)
    lead = best[0] - sign * middle
    if 0 < error <= settings.min_gain and lead <= 2 * error:
        # The task says itself that it takes so little for nothing.
        return _check(
            "direction",
            Verdict.warning,
            f"{told} That is no more than chance explains: the standard error is {error:.2g}, and "
            "min_gain above it.",
            "The held-out examples can't tell the first train.py from knowing nothing: take more "
            "of them, or a first train.py that learns more.",
        )
    return _check(
        "direction",
        Verdict.failed,
        f"{told} What knows nothing wins.",
        "Turn `goal` round if it is the wrong way, or score what a model must know something for.",
    )


def _again(measured: Measured, span: float | None) -> Iterator[Check]:
    """How much the scorer itself adds: the same answers, scored twice."""
    if measured.again is None:
        return
    kind, second = measured.again
    scores = [
        trial.score
        for trial in (
            *(tried[kind] for tried in measured.trivial.values() if kind in tried),
            second,
        )
    ]
    told = f"Answering {kind} twice scores {' and '.join(map(_figure, scores))}"
    if None in scores:
        yield _check(
            "scorer",
            Verdict.warning,
            f"{told}: the same answers have a score, and have none.",
            "Let `score` refuse an answer for what it is, and not by chance.",
        )
        return
    first, last = (score for score in scores if score is not None)
    part = abs(first - last) / span if span else 0.0
    if part > _SCORER_MOST:
        yield _check(
            "scorer",
            Verdict.failed,
            f"{told}: {part:.0%} of what there is from knowing nothing to the baseline.",
            "The score depends on chance more than on answers: draw less at random in `score`, "
            "or ask of more examples.",
        )
    elif part > _SCORER_SOME:
        yield _check(
            "scorer",
            Verdict.warning,
            f"{told}: {part:.0%} of what there is from knowing nothing to the baseline.",
            "Draw less at random in `score`, or ask of more examples.",
        )
    else:
        same = "; `score` adds no luck of its own" if first == last else ""
        yield _passed("scorer", f"{told}{same}.")


def _error(measured: Measured) -> float:
    """The standard error, by their examples, of two trials of the baseline; 0: not known."""
    squares = [pair.standard_error**2 for pair in measured.pairs]
    return math.sqrt(fmean(squares)) if squares else 0.0


def _spread(settings: TaskSettings, scores: list[float], span: float | None, error: float) -> Check:
    noise = stdev(scores)
    told = f"{len(scores)} seeds: {_figure(min(scores))} to {_figure(max(scores))}, "
    told += f"standard deviation {noise:.2g}"
    if span is not None and noise and span > 0:
        told += f"; from knowing nothing to the baseline it is {span / noise:.0f} times that"
    if span is not None and noise and 0 < span < _DROWNED * noise:
        return _check(
            "spread",
            Verdict.failed,
            f"{told}: what knows nothing wins with a lucky seed.",
            "Score more held-out examples, train longer, or make train.py steadier; a baseline "
            "that learns more helps too.",
        )
    if span is not None and noise and 0 < span < _NARROW * noise:
        return _check(
            "spread",
            Verdict.warning,
            f"{told}.",
            "Seeds differ by so much that gains can hardly be told from luck: more held-out "
            "examples, a longer budget, or a steadier train.py.",
        )
    if settings.keep is Keep.confirmed:
        least = least_gain(pooled([scores]), settings.noise_seeds, settings, error)
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


# ---- which gains are found --------------------------------------------------------------------


def _gains(settings: TaskSettings, measured: Measured) -> Iterator[Check]:
    noise = pooled([[trial.score for trial in measured.baseline if trial.score is not None]])
    single = measured.baseline[0].examples == 1
    error = _error(measured)
    unit = math.hypot(noise.deviation, error)
    if not unit:
        yield _passed(
            "gains",
            "Neither seeds nor examples make trials of the baseline differ: one trial tells all of "
            "a program. Two programs differ by their examples all the same: `sealed experiment "
            "show` has the standard error.",
        )
        return
    unit = max(unit, settings.min_gain)
    tried = [power(settings, noise, error, size * unit) for size in _SIZES]
    text = ", ".join(f"{100 * one.found:.0f} of 100 gains of {one.gain:.2g}" for one in tried)
    trials = [f"{one.trials:.0f}" for one in tried if one.trials is not None]
    told = f"`keep: {settings.keep}` finds {text} {settings.metric}"
    if trials and settings.keep is Keep.confirmed:
        told += f"; a kept one takes {', '.join(trials)} trials, the champion's among them"
    if settings.keep is not Keep.confirmed:
        none = power(settings, noise, error, 0.0).found
        told += f", in one trial each; of 100 that change nothing it keeps {100 * none:.0f}"
    yield _passed("gains", f"{told}.")
    yield _passed("held_out", _what_buys_more(settings, noise, error, single=single))


def _what_buys_more(settings: TaskSettings, noise: Noise, error: float, *, single: bool) -> str:
    told = f"Between seeds σ is {noise.deviation:.2g}"
    if single:
        return (
            f"{told}; the score is one value, so there are no held-out examples to have more of: "
            "a steadier train.py or a longer budget finds smaller gains."
        )
    can = least(settings, noise, error)
    told += (
        f", and two trials differ by their examples with a standard error s of {error:.2g}: "
        f"{can.of_examples:.0%} of a gain's variance after all trials. "
    )
    after = (
        f"sure gains go from {can.now:.2g} to {can.more_examples:.2g} with four times the held-out "
        f"examples, to {can.steadier:.2g} with seeds that differ half as much"
    )
    if can.now == can.more_examples == can.steadier:
        return f"{told}min_gain is above both: neither more examples nor more trials buy anything."
    if can.more_examples < can.steadier:
        return f"{told}More held-out data buys more than more trials: {after}."
    return f"{told}More trials or a steadier train.py buy more than more held-out data: {after}."


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
