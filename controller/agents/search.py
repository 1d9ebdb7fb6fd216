"""The agent `search`: changes marked constants, and nothing else.

While a neighbour of the champion is untried, it is next: one constant doubled, halved, or set to
another of its choices, beginning with the constant that made the champion. A champion with no such
neighbour left is improved upon by Optuna's TPE, from all experiments of the same program.

Everything is computed from the view at each proposal, with a seed from run and proposal, so a
restarted run goes on as if it had not stopped. What was read of an experiment is remembered.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from msgspec import Struct

from controller.agents.marks import Choice, Constant, Marked, Range, Value, marked
from controller.candidate import Candidate
from controller.decision import Decision
from controller.errors import Unusable
from controller.visible import Seen, View
from sandbox.api import Outcome

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

_Values = tuple[Value, ...]
_UNREADABLE = Marked(pieces=(), constants=())

_MOST_TRIALS = 1000
"""TPE is told of the latest ones, which keeps a proposal under half a second."""
_TPE_DRAWS = 20
_RANDOM_DRAWS = 500
"""A space in which so many draws are all known is taken for exhausted."""


class _Known(Struct, frozen=True, kw_only=True):
    """What is remembered of an experiment."""

    pieces: tuple[str, ...]
    """Of its program, which differs from another's in marked values alone if these are the same."""
    values: _Values
    kept: bool
    score: float | None
    outcome: Outcome


class Search:
    """See the module."""

    name = "search"

    def __init__(self, seed: str, train: str) -> None:
        """`train` is the task's train.py. Raises `Unusable` for bad marks, and for none."""
        self._seed = seed
        self._known: list[_Known] = []
        self._last: Seen | None = None
        self._champion = 0
        if not marked(train).constants:
            raise Unusable(
                "train.py marks no constant to search.",
                "Mark some, such as `LEARNING_RATE = 3e-3  # search: log 1e-4 1e-1`, "
                "or use --agent replay.",
            )

    def propose(self, view: View) -> Candidate | None:
        """The next untried values. Raises `Unusable` if the champion has bad marks."""
        champion = marked(view.champion.candidate)
        self._read(view)
        kin = [known for known in self._known if known.pieces == champion.pieces]
        tried = {known.values for known in kin}
        kept = [known.values for known in kin if known.kept]
        first = _changed(kept[-2], kept[-1]) if len(kept) > 1 else 0
        # Another agent may have tried the same values, with other comments.
        refused = {p.hypothesis for p in view.refused if p.agent == self.name}
        for values in chain(_neighbours(champion, first), self._draws(champion, kin, view)):
            if values not in tried:
                candidate = _candidate(champion, values)
                if candidate.hypothesis not in refused:
                    return candidate
        return None

    def _read(self, view: View) -> None:
        """Remember what matters of experiments, so that each is read once."""
        experiments, count = view.experiments, len(self._known)
        fallen = view.champion.number < self._champion  # a champion: what was told of it changed
        self._champion = view.champion.number
        if fallen or len(experiments) < count or (count and experiments[count - 1] != self._last):
            self._known, count = [], 0  # of another run, or that
        for self._last in experiments[count:]:
            self._known.append(_known(self._last))

    def _draws(self, champion: Marked, kin: Sequence[_Known], view: View) -> Iterator[_Values]:
        """What TPE suggests; where it only repeats what is known, what chance does."""
        import optuna  # half a second, and only a search past its ladder needs it

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        space = {c.name: _distribution(c.domain) for c in champion.constants}
        trials = [_trial(known, space) for known in kin[-_MOST_TRIALS:]]
        digest = hashlib.sha256(f"{self._seed} {view.proposals}".encode()).digest()
        seed = int.from_bytes(digest[:4], "big")
        for sampler, draws in (
            (optuna.samplers.TPESampler(seed=seed), _TPE_DRAWS),
            (optuna.samplers.RandomSampler(seed=seed), _RANDOM_DRAWS),
        ):
            study = optuna.create_study(direction=view.goal.value, sampler=sampler)
            study.add_trials(trials)
            for _ in range(draws):
                drawn = study.ask(space).params
                yield tuple(_fitted(c.domain, drawn[c.name]) for c in champion.constants)


def _known(seen: Seen) -> _Known:
    try:
        found = marked(seen.candidate)
    except Unusable:  # another program, whose marks are bad
        found = _UNREADABLE
    return _Known(
        pieces=tuple(sys.intern(piece) for piece in found.pieces),
        values=found.values,
        kept=seen.decision is Decision.kept,
        score=seen.score,
        outcome=seen.outcome,
    )


def _changed(before: _Values, after: _Values) -> int:
    """The first place in which two champions differ."""
    return next(
        (n for n, pair in enumerate(zip(before, after, strict=True)) if len({*pair}) > 1), 0
    )


def _neighbours(champion: Marked, first: int) -> Iterator[_Values]:
    """The champion's values with one of them changed, from a place on and around."""
    values = champion.values
    for place in (*range(first, len(values)), *range(first)):
        for value in _moves(champion.constants[place]):
            if value != values[place]:
                yield (*values[:place], value, *values[place + 1 :])


def _moves(constant: Constant) -> Sequence[Value]:
    domain, value = constant.domain, constant.value
    if isinstance(domain, Choice):
        return domain.literals
    assert not isinstance(value, str)
    if value == 0:  # doubled and halved, it is where it was
        tenth = (domain.high - domain.low) / 10
        return domain.fit(tenth), domain.fit(-tenth)
    return domain.fit(2 * value), domain.fit(value / 2)


def _distribution(domain: Range | Choice) -> BaseDistribution:
    from optuna import distributions

    if isinstance(domain, Choice):
        return distributions.CategoricalDistribution(domain.literals)
    if domain.integer:
        return distributions.IntDistribution(int(domain.low), int(domain.high), log=domain.log)
    return distributions.FloatDistribution(domain.low, domain.high, log=domain.log)


def _trial(known: _Known, space: dict[str, BaseDistribution]) -> FrozenTrial:
    """An experiment as Optuna knows it: our own errors say nothing, other failures are bad."""
    from optuna.trial import TrialState, create_trial

    state = TrialState.PRUNED
    if known.score is not None:
        state = TrialState.COMPLETE
    elif known.outcome is Outcome.error:
        state = TrialState.FAIL
    return create_trial(
        state=state,
        value=known.score,
        params=dict(zip(space, known.values, strict=True)),
        distributions=space,
    )


def _fitted(domain: Range | Choice, value: Value) -> Value:
    return domain.fit(float(value)) if isinstance(domain, Range) else value


def _candidate(champion: Marked, values: _Values) -> Candidate:
    changes = [
        f"{constant.name} {constant.literal} -> {value}"
        for constant, value in zip(champion.constants, values, strict=True)
        if value != constant.value
    ]
    return Candidate(source=champion.with_values(values), hypothesis=", ".join(changes))
