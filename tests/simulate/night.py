"""One night of a run without a sandbox: the loop's own rules, with scores from the worlds."""

from functools import partial

from msgspec import Struct

from controller.decision import Decision, counted, scores_of
from controller.decision.rules import baseline_trials
from controller.task_check.played import play
from sandbox.api import TaskSettings
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
        found, judgement = play(
            settings,
            champions,
            partial(_score, program, history),
            partial(_score, champion, history),
            paired_error(program, champion),
        )
        champions[-1] = counted([*champions[-1], *scores_of(found.top_ups)])
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


def _score(program: Program, history: History) -> float:
    luck = program.spread * history.rng.standard_normal() if program.spread else 0.0
    return program.worth + program.fluke + program.frozen + luck
