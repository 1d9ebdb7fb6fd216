"""Every decision made again, by the rule, from figures that were signed.

Receipts are in the order in which things were done. So each experiment is gone through again step
by step: what was done next must be what the rule asked for, with the trials that it should have
been done with, and the last word must be the rule's. Nobody could try once more, stop early, or
choose whom to compare with.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from controller.decision import (
    COUNTED,
    Ask,
    Decision,
    Evidence,
    Judgement,
    Look,
    Tried,
    counted,
    is_finite,
)
from controller.decision.rules import judge, judge_baseline
from controller.ledger import Experiment
from controller.verify.chain import Chain, Placed
from controller.verify.finding import Finding
from sandbox.api import Outcome
from sandbox.receipts.statements import ComparisonPredicate


def check_decisions(
    experiments: Sequence[Experiment], candidates: dict[int, str], chain: Chain
) -> Iterator[Finding]:
    """Where the rule would not have gone on or decided so."""
    kept: list[int] = []
    fell: dict[int, int] = {}
    """Champions that an audit caught, with the experiment in whose course it did."""
    for trial in chain.trials:
        if trial.predicate.outcome is Outcome.dishonest:
            fell.setdefault(trial.experiment, trial.asked_by)
    for experiment in experiments:
        number = experiment.number
        champions = [k for k in kept if fell.get(k, number) >= number]
        champion = champions[-1] if champions else None
        if experiment.parent != champion:
            yield Finding(
                experiment=number,
                problem=f"It was compared with experiment {experiment.parent}; the champion was "
                f"{'none' if champion is None else champion}.",
            )
        elif experiment.decision is not None:
            yield from _Replay(experiment, champions, candidates, chain).findings()
        if experiment.decision is Decision.kept:
            kept.append(number)


@dataclass
class _Replay:
    """One experiment, gone through again."""

    experiment: Experiment
    champions: list[int]
    """Those of the time, the present one last."""
    candidates: dict[int, str]
    chain: Chain
    own: list[Placed] = field(default_factory=list)
    top_ups: list[Placed] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)

    def findings(self) -> Iterator[Finding]:
        """What the rule would not have done; the first thing, for what follows hangs on it."""
        if self.champions and not self._champions()[-1]:
            yield self._found(
                None, f"Experiment {self.champions[-1]}, its champion, has no receipt."
            )
            return
        for line, done, asked in self._steps():
            expected = self._judge()
            if expected is not asked:
                what = (
                    f"a {asked} was measured" if asked is not Ask.comparison else "it was compared"
                )
                yield self._found(line, f"The rule did not ask for that: {what} all the same.")
                return
            if isinstance(done, Placed):
                (self.own if done.experiment == self.experiment.number else self.top_ups).append(
                    done
                )
            elif (done.first, done.second) != self._keys():
                yield self._found(line, "Other trials were compared than the rule asks for.")
                return
            else:
                self.looks.append(_look(done))
        judgement = self._judge()
        first = self.own[0].line if self.own else None
        if isinstance(judgement, Ask):
            missing = {
                Ask.comparison: "The comparison with its champion has no receipt.",
                Ask.candidate: "A trial that the rule asks for has no receipt.",
                Ask.champion: "A trial of its champion that the rule asks for has no receipt.",
            }
            yield self._found(first, missing[judgement])
        elif problem := _otherwise(self.experiment, judgement):
            yield self._found(first, problem)

    def _steps(self) -> list[tuple[int, Placed | ComparisonPredicate, Ask]]:
        """What was done in the experiment's course, in order: receipt, what, and what for."""
        number = self.experiment.number
        steps: list[tuple[int, Placed | ComparisonPredicate, Ask]] = [
            (t.line, t, Ask.candidate if t.experiment == number else Ask.champion)
            for t in self.chain.asked[number]
        ]
        compared: dict[int, ComparisonPredicate] = {}
        for trial in self.chain.of[number]:
            compared |= self.chain.compared[trial.predicate.key]
        steps += [(line, signed, Ask.comparison) for line, signed in compared.items()]
        return sorted(steps, key=lambda step: step[0])

    def _judge(self) -> Judgement | Ask:
        tried = [_tried(trial) for trial in self.own]
        settings = (self.own or self.chain.trials)[0].predicate.settings
        if self.experiment.parent is None:
            return judge_baseline(tried, settings)
        sizes = {
            n: len(self.candidates[n].encode())
            for n in (self.experiment.number, self.champions[-1])
        }
        evidence = Evidence(
            candidate=tried,
            top_ups=[_tried(trial) for trial in self.top_ups],
            champions=[
                [trial.predicate.score or 0.0 for trial in trials]
                for trials in self._champions()
                if trials
            ],
            looks=self.looks,
            candidate_bytes=sizes[self.experiment.number],
            champion_bytes=sizes[self.champions[-1]],
        )
        return judge(evidence, settings)

    def _champions(self) -> list[list[Placed]]:
        """As `measuring` takes them: without their screens, where they have other trials."""
        found = []
        for champion in self.champions:
            latest = (
                trial
                for trial in reversed(self.chain.of[champion])
                if trial.asked_by < self.experiment.number and _is_scored(trial)
            )
            scored = list(islice(latest, COUNTED + 1))[::-1]
            chosen = [trial for trial in scored if trial.number > 1 or champion == 0]
            found.append(counted(chosen or scored))
        return found

    def _keys(self) -> tuple[list[str], list[str]]:
        """Of the trials that are to be compared now."""
        champion = self._champions()[-1] + [t for t in self.top_ups if _is_scored(t)]
        own = self.own[1:] or self.own
        return [t.predicate.key for t in own], [t.predicate.key for t in champion]

    def _found(self, line: int | None, problem: str) -> Finding:
        return Finding(receipt=line, experiment=self.experiment.number, problem=problem)


def _is_scored(trial: Placed) -> bool:
    return trial.predicate.outcome is Outcome.scored and trial.predicate.score is not None


def _tried(trial: Placed) -> Tried:
    return Tried(trial.predicate.outcome, trial.predicate.score)


def _look(signed: ComparisonPredicate) -> Look:
    comparison = signed.comparison
    return Look(
        candidate_trials=len(signed.first),
        champion_trials=len(signed.second),
        comparison=comparison if comparison is not None and is_finite(comparison) else None,
    )


def _otherwise(experiment: Experiment, judgement: Judgement) -> str:
    if experiment.decision is not judgement.decision:
        return (
            f"The rule would not have decided so: it is {experiment.decision}, and the rule says "
            f"{judgement.decision}. {judgement.reason}"
        )
    for name in ("gain", "standard_error", "low", "high"):
        here, there = getattr(experiment, name), getattr(judgement, name)
        if here != there and not (_is_none(here) and _is_none(there)):
            return f"The ledger says {name} = {here}, the signed figures {there}."
    return ""


def _is_none(value: float | None) -> bool:
    return value is None or math.isnan(value)
