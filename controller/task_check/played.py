"""An experiment without a sandbox: a rule is given whatever it asks for, until it decides."""

from collections.abc import Callable

from controller.decision import Ask, Evidence, Judgement, Look, Tried, scores_of
from controller.decision.rules import judge
from sandbox.api import Comparison, Outcome, TaskSettings


def play(
    settings: TaskSettings,
    champions: list[list[float]],
    own: Callable[[], float],
    champion: Callable[[], float],
    error: float,
) -> tuple[Evidence, Judgement]:
    """What a rule asked for, and its judgement.

    `champions` are scores that kept ones have, the present one's last; `own` and `champion` give
    the score of one more trial; `error` is the standard error of each comparison by its examples.
    All are in the metric's unit.
    """
    candidate: list[Tried] = []
    top_ups: list[Tried] = []
    looks: list[Look] = []
    found = Evidence(
        candidate=candidate, top_ups=top_ups, champions=champions, looks=looks,
        candidate_bytes=1, champion_bytes=1,
    )  # fmt: skip
    while True:
        match judge(found, settings):
            case Ask.candidate:
                candidate.append(Tried(Outcome.scored, own()))
            case Ask.champion:
                top_ups.append(Tried(Outcome.scored, champion()))
            case Ask.comparison:
                looks.append(_look(found, error))
            case Judgement() as judgement:
                return found, judgement


def _look(found: Evidence, error: float) -> Look:
    own = scores_of(found.candidate[1:] or found.candidate)
    champion = [*found.champions[-1], *scores_of(found.top_ups)]
    difference = sum(own) / len(own) - sum(champion) / len(champion)
    comparison = Comparison(difference=difference, standard_error=error, examples=1)
    return Look(candidate_trials=len(own), champion_trials=len(champion), comparison=comparison)
