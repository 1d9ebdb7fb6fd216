"""One night of a run without a sandbox: the loop's own rules, with scores from the worlds."""

from collections.abc import Callable
from functools import partial

from msgspec import Struct

from controller.decision import Ask, Decision, Evidence, Judgement, Look, Tried, scores_of
from controller.decision.rules import baseline_trials, judge
from sandbox.api import Comparison, Outcome, TaskSettings
from tests.simulate.worlds import History, Program, World, paired_error


class Tally(Struct, kw_only=True):
    """What came of many candidates."""

    candidates: int = 0
    kept: int = 0
    false: int = 0
    """Kept, and truly no better than the champion was."""
    trials: int = 0
    """Of all candidates and, for them, of champions; the screens included."""

    def add(self, other: "Tally") -> None:
        """Count what another one counted."""
        self.candidates += other.candidates
        self.kept += other.kept
        self.false += other.false
        self.trials += other.trials


def night(world: World, settings: TaskSettings, history: History, candidates: int) -> Tally:
    """A run of so many candidates, from its baseline on."""
    tally = Tally()
    champion = history.baseline
    champions = [[_score(champion, history) for _ in range(baseline_trials(settings))]]
    best_told = -float("inf")
    for _ in range(candidates):
        program = world(history)
        found, judgement = experiment(
            partial(_score, program, history),
            partial(_score, champion, history),
            champions,
            settings,
            paired_error(program, champion),
        )
        champions[-1] = [*champions[-1], *scores_of(found.top_ups)]
        tally.candidates += 1
        tally.trials += len(found.candidate) + len(found.top_ups)
        told = scores_of(found.candidate)[0]
        history.last = program
        if told > best_told:
            best_told, history.best = told, program
        if judgement.decision is Decision.kept:
            tally.kept += 1
            tally.false += program.worth <= champion.worth
            champion = program
            champions.append(scores_of(found.candidate[1:] or found.candidate))
    return tally


def experiment(
    of_candidate: Callable[[], float],
    of_champion: Callable[[], float],
    champions: list[list[float]],
    settings: TaskSettings,
    error: float,
) -> tuple[Evidence, Judgement]:
    """Give the rule whatever it asks for, until it decides.

    A trial is a call of one of the first two; `champions` has the scores of all that there were,
    and `error` is the standard error of the paired comparison with the present one.
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
                candidate.append(Tried(Outcome.scored, of_candidate()))
            case Ask.champion:
                top_ups.append(Tried(Outcome.scored, of_champion()))
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


def _score(program: Program, history: History) -> float:
    luck = program.spread * history.rng.standard_normal() if program.spread else 0.0
    return program.worth + program.fluke + program.frozen + luck
