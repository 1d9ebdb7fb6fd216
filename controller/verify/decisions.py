"""Every decision made again, by the rule, from figures that were signed."""

from collections.abc import Iterator, Sequence

from controller.decision import Decision, Judgement, has_score, margin
from controller.ledger import Experiment
from controller.verify.chain import Chain, Placed
from controller.verify.finding import Finding
from sandbox.api import Comparison


def check_decisions(experiments: Sequence[Experiment], chain: Chain) -> Iterator[Finding]:
    """Where the rule would not have decided so. Trials without a receipt are found elsewhere."""
    firsts = {trial.experiment: trial for trial in chain.trials if trial.number == 1}
    champion: int | None = None
    for experiment in experiments:
        if experiment.parent != champion:
            yield Finding(
                experiment=experiment.number,
                problem=f"It was compared with experiment {experiment.parent}; the champion was "
                f"{'none' if champion is None else champion}.",
            )
        trial = firsts.get(experiment.number)
        if experiment.decision is not None and trial is not None:
            parent = None if experiment.parent is None else firsts.get(experiment.parent)
            yield from _check(experiment, trial, parent, chain)
        if experiment.decision is Decision.kept:
            champion = experiment.number


def _check(
    experiment: Experiment, trial: Placed, parent: Placed | None, chain: Chain
) -> Iterator[Finding]:
    def found(problem: str) -> Finding:
        return Finding(receipt=trial.line, experiment=experiment.number, problem=problem)

    told = trial.predicate
    comparison = None
    if experiment.parent is None:
        judgement = margin.judge_baseline(told.outcome, told.score)
    elif parent is None:
        yield found(f"Experiment {experiment.parent}, its champion, has no receipt.")
        return
    else:
        signed = _comparison(chain, told.key, parent.predicate.key)
        if signed is None and has_score(told.outcome, told.score):
            yield found("The comparison with its champion has no receipt.")
            return
        comparison = None if signed is None else signed[0]
        judgement = margin.judge(told.outcome, told.score, comparison, told.settings)
    if problem := _otherwise(experiment, judgement):
        yield found(problem)


def _comparison(chain: Chain, first: str, second: str) -> tuple[Comparison | None] | None:
    """What two trials were signed to differ by, which may be that they can't be compared."""
    for _, signed in chain.comparisons:
        if (signed.first, signed.second) == ([first], [second]):
            return (signed.comparison,)
    return None


def _otherwise(experiment: Experiment, judgement: Judgement) -> str:
    if experiment.decision is not judgement.decision:
        return (
            f"The rule would not have decided so: it is {experiment.decision}, and the rule says "
            f"{judgement.decision}. {judgement.reason}"
        )
    for name in ("gain", "standard_error"):
        here, there = getattr(experiment, name), getattr(judgement, name)
        if here != there:
            return f"The ledger says {name} = {here}, the signed comparison {there}."
    return ""
