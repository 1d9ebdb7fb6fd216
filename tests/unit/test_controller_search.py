"""The agent `search`: a ladder around the champion, then TPE."""

import itertools
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from controller.agents import search
from controller.agents.marks import marked
from controller.agents.search import Search
from controller.candidate import Candidate
from controller.decision import Decision
from controller.errors import Unusable
from controller.visible import Refused, Seen, View
from sandbox.api import Goal, Outcome
from tests.unit.toy import TRAIN, landscape


def seen(
    number: int,
    candidate: str,
    score: float | None = 1.0,
    *,
    kept: bool = False,
    outcome: Outcome | None = None,
) -> Seen:
    """An experiment as the search is told of it."""
    return Seen(
        number=number,
        agent="search",
        candidate=candidate,
        hypothesis="",
        outcome=outcome or (Outcome.crash if score is None else Outcome.scored),
        decision=Decision.kept if kept else Decision.discarded,
        score=score,
        rehearsal_score=None,
        reason="",
        log="",
        seconds=1,
    )


def view(
    experiments: Sequence[Seen], goal: Goal = Goal.minimize, refused: Sequence[Refused] = ()
) -> View:
    """The last kept experiment is the champion."""
    return View(
        program="",
        metric="bits",
        goal=goal,
        champion=[e for e in experiments if e.decision is Decision.kept][-1],
        experiments=experiments,
        proposals=len(experiments) - 1,
        min_gain=0.0,
        step=None,
        refused=refused,
    )


class ReadOnce(Sequence[Seen]):
    """A history that counts how much of it is read."""

    def __init__(self, experiments: Sequence[Seen]) -> None:
        self._experiments = experiments
        self.read = 0

    def __len__(self) -> int:
        return len(self._experiments)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        found = self._experiments[index]
        self.read += len(found) if isinstance(index, slice) else 1
        return found


def test_a_long_history_is_read_once_and_another_runs_from_its_beginning() -> None:
    """A proposal looks at what is new; what an agent proposes does not depend on what it read."""
    done = [each for each, _ in go(30)]
    agent = Search("seed", TRAIN)
    agent.propose(view(done[:-1]))
    again = ReadOnce(done)
    proposal = agent.propose(replace(view(done), experiments=again))
    assert again.read == 2, "the last one that it knew, and the new one"
    assert proposal == Search("seed", TRAIN).propose(view(done))
    other = [seen(0, TRAIN, 1.0, kept=True)]
    assert agent.propose(view(other)) == Search("seed", TRAIN).propose(view(other))


def go(rounds: int, train: str = TRAIN, best: float = 1e9) -> list[tuple[Seen, str]]:
    """Experiments of a run in which whatever is better is kept, with their hypotheses."""
    agent = Search("seed", train)
    done = [(seen(0, train, best, kept=True), "")]
    for number in range(1, rounds + 1):
        proposal = agent.propose(view([e for e, _ in done]))
        if proposal is None:
            break
        score = landscape(proposal.source) if train == TRAIN else 1e9
        done.append((seen(number, proposal.source, score, kept=score < best), proposal.hypothesis))
        best = min(best, score)
    return done


def proposal_after(*experiments: Seen, train: str = TRAIN) -> Candidate:
    """What follows these experiments on the baseline."""
    proposal = Search("seed", train).propose(view([seen(0, train, kept=True), *experiments]))
    assert proposal is not None
    return proposal


def test_the_ladder_doubles_halves_and_chooses() -> None:
    """One constant at a time, in the order of the file, while nothing is better."""
    agent, experiments = Search("seed", TRAIN), [seen(0, TRAIN, kept=True)]
    hypotheses = []
    for number in range(1, 7):
        proposal = agent.propose(view(experiments))
        assert proposal is not None
        hypotheses.append(proposal.hypothesis)
        experiments.append(seen(number, proposal.source, 2.0))
    assert hypotheses == [
        "LEARNING_RATE 3e-3 -> 0.006",
        "LEARNING_RATE 3e-3 -> 0.0015",
        "HIDDEN 32 -> 64",
        "HIDDEN 32 -> 16",
        'ACTIVATION "relu" -> "gelu"',
        'ACTIVATION "relu" -> "tanh"',
    ]


def test_what_made_the_champion_is_changed_further() -> None:
    """A gain by doubling is followed by doubling again; the earlier constants come last."""
    hypotheses = [hypothesis for _, hypothesis in go(9)]
    assert hypotheses[1:] == [
        "LEARNING_RATE 3e-3 -> 0.006",
        "LEARNING_RATE 0.006 -> 0.012",
        "LEARNING_RATE 0.012 -> 0.024",
        "LEARNING_RATE 0.024 -> 0.048",
        "HIDDEN 32 -> 64",
        "HIDDEN 64 -> 128",
        'ACTIVATION "relu" -> "gelu"',
        'ACTIVATION "gelu" -> "tanh"',
        "LEARNING_RATE 0.024 -> 0.048",
    ]


def test_after_the_ladder_tpe_changes_several_constants() -> None:
    """It goes on, inside the ranges, for as long as it is asked."""
    done = go(40)
    changed = [hypothesis.count("->") for _, hypothesis in done[1:]]
    assert changed[0] == 1
    assert max(changed[15:]) > 1
    assert len(done) == 41
    for experiment, _ in done:
        for constant in marked(experiment.candidate).constants:
            if isinstance(constant.value, float):
                assert 1e-4 <= constant.value <= 1e-1


def test_nothing_is_proposed_twice() -> None:
    """Not even a value in another spelling: 0.003 is 3e-3."""
    done = go(60)
    values = [marked(experiment.candidate).values for experiment, _ in done]
    assert len(set(values)) == len(values)
    assert not any("0.003 " in experiment.candidate for experiment, _ in done)


def test_a_restarted_search_proposes_the_same() -> None:
    """The view decides, with the seed of the run and the number of the proposal."""
    experiments = [experiment for experiment, _ in go(20)]
    first, again = (Search("seed", TRAIN).propose(view(experiments)) for _ in range(2))
    assert first == again
    assert Search("another", TRAIN).propose(view(experiments)) != first


def test_a_small_space_is_exhausted_in_the_end() -> None:
    """Every combination is proposed once, then nothing."""
    train = "A = 1  # search: choice 1 2 3\nB = 'x'  # search: choice x y\n"
    done = go(50, train)
    assert len(done) == 6
    assert {marked(experiment.candidate).values for experiment, _ in done} == {
        *itertools.product("123", ["'x'", "'y'"])
    }


def test_a_zero_leaves_its_place() -> None:
    """Doubled and halved it would stay; it moves by a tenth of its range instead."""
    train = "DROP = 0.0  # search: 0.0 0.9\n"
    assert proposal_after(train=train).hypothesis == "DROP 0.0 -> 0.09"


def test_moves_are_clipped_to_the_range() -> None:
    """Doubled beyond the end, a value is the end; at the end, it does not move."""
    train = "A = 7  # search: int 4 8\n"
    first = proposal_after(train=train)
    second = proposal_after(seen(1, first.source), train=train)
    assert [first.source.split()[2], second.source.split()[2]] == ["8", "4"]


def test_failures_and_our_own_errors_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash is bad news of its values, an `error` of the sandbox is none."""
    from optuna.trial import TrialState

    found = marked(TRAIN)
    space = {c.name: search._distribution(c.domain) for c in found.constants}
    states = [
        search._trial(search._known(told), space).state
        for told in (
            seen(1, TRAIN, 1.0),
            seen(1, TRAIN, None, outcome=Outcome.timeout),
            seen(1, TRAIN, None, outcome=Outcome.error),
            seen(1, TRAIN, None, outcome=Outcome.scored),  # not told, for it is no improvement
        )
    ]
    assert states == [
        TrialState.COMPLETE,
        TrialState.PRUNED,
        TrialState.FAIL,
        TrialState.PRUNED,
    ]


def test_what_was_refused_is_not_proposed_again() -> None:
    """Another agent tried the same values with other comments: the next ones follow."""
    experiments = [seen(0, TRAIN, kept=True)]
    first = Search("seed", TRAIN).propose(view(experiments))
    assert first is not None
    refused = Refused(agent="search", hypothesis=first.hypothesis, reason="It is experiment 1.")
    second = Search("seed", TRAIN).propose(view(experiments, refused=[refused]))
    assert second is not None
    assert second.hypothesis != first.hypothesis
    model = replace(refused, agent="llm:model")  # which writes what it likes
    assert Search("seed", TRAIN).propose(view(experiments, refused=[model])) == first


def test_other_programs_are_no_evidence() -> None:
    """Experiments with other code, or with marks that can't be read, don't count as tried."""
    other = TRAIN.replace("3e-3", "0.006") + "print()\n"
    bad = "X = 1  # search: nonsense\n"
    proposal = proposal_after(seen(1, other), seen(2, bad))
    assert proposal.hypothesis == "LEARNING_RATE 3e-3 -> 0.006"


@pytest.mark.parametrize(
    ("train", "message"),
    [("x = 1\n", "marks no constant"), ("x = 1  # search: int 3 2\n", "line 1")],
)
def test_a_train_py_without_good_marks_is_refused_at_once(train: str, message: str) -> None:
    """Before a task is prepared or a container started."""
    with pytest.raises(Unusable, match=message):
        Search("seed", train)
