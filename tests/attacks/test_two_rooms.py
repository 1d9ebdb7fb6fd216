"""Language models that claim to have foreseen what they have seen.

The control arm is in each test: on the rehearsal split of the task `language` claims are believed.
"""

import pytest

from sandbox.api import Outcome, Task, TrialResult
from sandbox.service import Service
from tests.support.attacks import attack
from tests.support.candidates import Bench
from tests.support.files import task_files
from tests.support.tasks import ROOT

pytestmark = [pytest.mark.docker, pytest.mark.attack]

LANGUAGE = ROOT / "tests" / "tasks" / "language"


@pytest.fixture(scope="module")
def language(service: Service) -> Task:
    """The task `tests/tasks/language`, prepared."""
    return service.prepare(task_files(LANGUAGE))


@pytest.fixture(scope="module")
def honest(service: Service, language: Task) -> TrialResult:
    """What the task's own `train.py` gets."""
    with pytest.MonkeyPatch.context() as patch:
        return Bench(service, language, patch).run((LANGUAGE / "train.py").read_text())


def test_control_an_honest_model_is_scored(honest: TrialResult) -> None:
    """Audited, it gets what it would get if it were believed."""
    assert honest.outcome is Outcome.scored, honest
    assert honest.score == pytest.approx(honest.rehearsal_score, abs=0.1)


@pytest.mark.slow
def test_control_what_the_baseline_shows_is_allowed(service: Service) -> None:
    """A `train.py` whose rooms lie apart is scored, and so is a candidate like it, but no worse."""
    apart = (LANGUAGE / "train.py").read_text()
    apart = apart.replace('question["windows"])', 'question["windows"]) + 0.07')
    assert "+ 0.07" in apart
    task = service.prepare(task_files(LANGUAGE, train=apart))
    with pytest.MonkeyPatch.context() as patch:
        bench = Bench(service, task, patch)
        assert bench.run(apart).outcome is Outcome.scored
        assert bench.run(apart.replace("0.07", "0.3")).outcome is Outcome.dishonest


@pytest.mark.claim("claims-are-audited")
@pytest.mark.parametrize(
    ("name", "constants"),
    [
        ("copy_next_token", {}),
        pytest.param("copy_next_token", {"SHARE": 0.01}, marks=pytest.mark.slow),
        ("hardest_tokens", {}),
        pytest.param("learn_from_questions", {}, marks=pytest.mark.slow),
    ],
    ids=["copier", "copier of 1 %", "lottery", "learner"],
)
def test_who_foretells_what_it_has_seen_is_dishonest(
    bench: Bench,
    language: Task,
    honest: TrialResult,
    name: str,
    constants: dict[str, float],
) -> None:
    """Believed it gains; audited it gets no score, and no word about the held-out text."""
    result = bench.run(attack(name, **constants), language)
    assert result.rehearsal_score is not None, result
    assert honest.rehearsal_score is not None, honest
    assert result.rehearsal_score < honest.rehearsal_score - 0.005
    assert (result.outcome, result.score) == (Outcome.dishonest, None)
    assert (result.reason, result.attempts) == ("dishonest in the sealed scoring", 1)


@pytest.mark.claim("claims-are-audited")
@pytest.mark.claim("losses-are-the-candidates")
@pytest.mark.parametrize(
    ("how", "outcome"),
    [
        ("kill", Outcome.crash),
        pytest.param("hang", Outcome.timeout, marks=pytest.mark.slow),
        pytest.param("shape", Outcome.invalid, marks=pytest.mark.slow),
    ],
)
def test_who_is_gone_in_room_b_has_no_score(
    bench: Bench, language: Task, how: str, outcome: Outcome
) -> None:
    """Claims alone are no score, and a loss in room B is not tried again."""
    result = bench.run(attack("break_room_b", HOW=how), language)
    assert result.rehearsal_score == pytest.approx(0.01)
    assert (result.outcome, result.score, result.attempts) == (outcome, None, 1)
