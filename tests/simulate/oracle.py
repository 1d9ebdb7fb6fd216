"""A run without a sandbox, as an attacker of its labels meets it: answers in, what agents see out.

The task is a yes or no for each of a thousand examples, scored in bits as `tasks/digits` is. What
is decided is the keep rules' doing, and what is told that of `controller/visible.py`; there is
nothing else that an attacker learns from.
"""

import math
from dataclasses import dataclass, field

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from controller.decision import Decision, Evidence, Judgement, counted, scores_of
from controller.decision.noise import Noise, pooled
from controller.decision.rules import baseline_trials
from controller.ledger import Experiment, State
from controller.task_check.played import play
from controller.visible import Seen, seen, step_told
from sandbox.api import Feedback, Goal, Keep, Outcome, TaskSettings

EXAMPLES = 1000
"""Of the held-out split, and as many of the vault."""
WORST = 20.0
"""Bits that an answer costs at most."""
NOISE = 0.02
"""Standard deviation of the baseline's score between seeds, in bits."""
CLEAR = 4.0
"""Standard deviation of the log odds of the labels, as far as the examples show them."""
TIMID = 0.2
"""The baseline's log odds, of those that the attacker's model gets from the examples."""

Chances = NDArray[np.float64]
"""Of a yes, one an example."""


@dataclass
class Split:
    """Examples, and their labels."""

    chances: Chances
    """What an honest model makes of the examples; it is calibrated."""
    labels: NDArray[np.bool_]

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> "Split":
        """Examples that were not seen before."""
        chances = odds_to_chances(rng.normal(0, CLEAR, EXAMPLES))
        return cls(chances=chances, labels=rng.random(EXAMPLES) < chances)

    def values(self, answers: Chances) -> Chances:
        """What each answer costs, in bits."""
        return costs(np.where(self.labels, answers, 1 - answers))


@dataclass
class Oracle:
    """Scores, decides and tells. An attacker reads `model`, `unit`, and what `submit` gives."""

    feedback: Feedback
    keep: Keep
    rng: np.random.Generator
    blurred: bool = True
    """False: as if scores that were not kept were rounded, and nothing else."""
    seen: list[Seen] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._held_out, self._vault = Split.drawn(self.rng), Split.drawn(self.rng)
        self._settings = TaskSettings(
            metric="bits",
            goal=Goal.minimize,
            budget_seconds=1,
            keep=self.keep,
            feedback=self.feedback,
        )
        self._answers = odds_to_chances(TIMID * chances_to_odds(self._held_out.chances))
        self._luck, self._salt = NOISE, self.rng.bytes(16).hex()
        trials = [self._of_champion() for _ in range(baseline_trials(self._settings))]
        self._champions = [trials]
        self._noise: Noise | None = pooled([trials]) if len(trials) > 1 else None
        self._champion = _experiment(0, math.fsum(trials) / len(trials), None)
        self._tell(self._champion, None)

    @property
    def model(self) -> Chances:
        """What a good model makes of the held-out examples; the baseline is not as good."""
        return self._held_out.chances

    @property
    def unit(self) -> float | None:
        """What scores are told in multiples of, as agents are told."""
        return step_told(self._champion, self._settings, self._noise)

    def submit(self, answers: Chances) -> Seen:
        """One experiment: a candidate that gives these answers, in each of its trials."""
        answers = np.clip(answers, 2.0**-WORST, 1 - 2.0**-WORST)
        score = float(self._held_out.values(answers).mean())
        apart = self._held_out.values(answers) - self._held_out.values(self._answers)
        error = float(apart.std(ddof=1)) / math.sqrt(EXAMPLES)
        found, judgement = play(
            self._settings, self._champions, lambda: score, self._of_champion, error
        )
        self._champions[-1] = counted([*self._champions[-1], *scores_of(found.top_ups)])
        made = _experiment(len(self.seen), score, judgement)
        told = self._tell(made, self._champion)
        if judgement.decision is Decision.kept:
            self._champions.append(_trials(found))
            self._champion, self._answers, self._luck = made, answers, 0.0
        return told

    def champion_on_both(self) -> tuple[float, float]:
        """Score of the champion on the held-out split, and on the vault, for the operator.

        Of the vault's examples an attacker learns nothing: it answers there as its model does.
        """
        vault = self._vault.chances
        if self._champion.number == 0:
            vault = odds_to_chances(TIMID * chances_to_odds(vault))
        sides = ((self._held_out, self._answers), (self._vault, vault))
        held_out, sealed = (float(split.values(answers).mean()) for split, answers in sides)
        return held_out, sealed

    def right(self, chances: Chances) -> NDArray[np.bool_]:
        """Which labels somebody with these chances would guess."""
        return (chances > 0.5) == self._held_out.labels

    def _of_champion(self) -> float:
        luck = self._luck * self.rng.standard_normal() if self._luck else 0.0
        return float(self._held_out.values(self._answers).mean()) + luck

    def _tell(self, made: Experiment, champion: Experiment | None) -> Seen:
        told = seen(
            made if self.blurred else replace(made, standard_error=0.0),
            champion,
            self._settings,
            noise=self._noise,
            salt=self._salt,
            candidate="",
            log="",
        )
        self.seen.append(told)
        return told


def odds_to_chances(odds: Chances) -> Chances:
    """From log odds, natural."""
    return 1 / (1 + np.exp(-odds))


def chances_to_odds(chances: Chances) -> Chances:
    """To log odds, natural."""
    return np.log(chances) - np.log1p(-chances)


def costs(chances: Chances) -> Chances:
    """Bits that it costs to have given what came true these chances."""
    return np.minimum(WORST, -np.log2(np.maximum(chances, 2.0**-WORST)))


def _trials(found: Evidence) -> list[float]:
    return scores_of(found.candidate[1:] or found.candidate)


def _experiment(number: int, score: float, judgement: Judgement | None) -> Experiment:
    """As the ledger would have it; without a judgement it is the baseline."""
    return Experiment(
        number=number,
        state=State.recorded,
        agent="attacker",
        hypothesis="",
        candidate_hash="",
        parent=None,
        proposed_at="",
        decision=Decision.kept if judgement is None else judgement.decision,
        decision_reason="",
        gain=None if judgement is None else judgement.gain,
        standard_error=None if judgement is None else judgement.standard_error,
        message="",
        decided_at="",
        commit_id="",
        trial_key="",
        outcome=Outcome.scored,
        score=score,
        rehearsal_score=None,
        trial_reason="",
        log_bytes=0,
        seconds=1.0,
        wall_seconds=1.0,
        peak_memory_bytes=0,
        device="cpu",
    )
