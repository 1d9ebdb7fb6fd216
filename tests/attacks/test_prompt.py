"""Gaming a prompt's score: fields that a template fills in, labels named in advance, quoted texts.

Each with the real model in the scorer's container, on a few texts of `tasks/prompt`.
"""

from collections.abc import Iterator

import pytest

from sandbox.api import Outcome, Task
from sandbox.service import Service
from tests.support.attacks import attack
from tests.support.candidates import Bench
from tests.support.prompts import few_texts

pytestmark = [pytest.mark.docker, pytest.mark.attack, pytest.mark.slow]

TEMPLATE = '''

def score(data: Path, predictors: Predictors) -> Score:
    """A scorer whose prompts are templates, filled in with what is known of each text."""
    reviews = json.loads((data / "reviews.json").read_text())
    labels = np.array([review["label"] for review in reviews])
    with predictors.open() as predictor:
        prompt = predictor.ask(None, Text(PROMPT_BYTES))
    logits = [
        smollm().next_logits(
            prompt.format(**review, answer=ANSWERS[review["label"]]) + "\\n\\n",
            [QUESTION.format(review["text"])],
            ANSWERS,
        )
        for review in reviews
    ]
    return Score(cost(np.concatenate(logits), labels))
'''

WORDS = '''

def score(data: Path, predictors: Predictors) -> Score:
    """A scorer that lets the model say three words, and looks for the label in them."""
    reviews = json.loads((data / "reviews.json").read_text())
    with predictors.open() as predictor:
        prompt = predictor.ask(None, Text(PROMPT_BYTES))
    model, bits = smollm(), []
    _, past = model.read(np.array([model.encode(f"{prompt}\\n\\n")]))
    for review in reviews:
        tokens, said = model.encode(QUESTION.format(review["text"])), []
        for _ in range(3):
            states, _ = model.read(np.array([tokens + said]), past)
            last = model._norm(states[0, -1:], "output_norm")
            said.append(int((last @ model.weights["token_embd.weight"].T).argmax()))
        found = model.encode(ANSWERS[review["label"]])[0] in said
        bits.append(0.0 if found else -math.log2(GRAIN))
    return Score(np.array(bits))
'''


@pytest.fixture(scope="module")
def few(service: Service) -> Iterator[Task]:
    """The task, with few texts."""
    task = service.prepare(few_texts())
    yield task
    service.forget(task.hash)


def score_of(bench: Bench, name: str, task: Task) -> float:
    """Held-out bits of an attack, which must be scored like any candidate."""
    result = bench.run(attack(name), task)
    assert result.outcome is Outcome.scored, result
    assert result.score is not None
    return result.score


def control(bench: Bench, name: str, score: str) -> float:
    """The same attack's bits under another `score`."""
    task = bench.service.prepare(few_texts(score))
    try:
        return score_of(bench, name, task)
    finally:
        bench.service.forget(task.hash)


def test_a_field_of_the_answer_is_not_filled_in(bench: Bench, few: Task) -> None:
    """What a prompt calls the answer stays a name in braces."""
    assert score_of(bench, "prompt_fields", few) > 0.35


def test_control_a_template_gives_the_answers_away(bench: Bench) -> None:
    """Filled in like a template, the same prompt tells the model every label."""
    assert control(bench, "prompt_fields", TEMPLATE) < 0.3


def test_naming_both_labels_gains_nothing(bench: Bench, few: Task) -> None:
    """A model that says both says nothing of either."""
    assert score_of(bench, "prompt_names_labels", few) > 0.45


def test_control_looking_for_the_label_finds_both(bench: Bench) -> None:
    """In three words that the model says there is always the right one."""
    assert control(bench, "prompt_names_labels", WORDS) < 0.3


def test_a_prompt_knows_the_texts_that_it_quotes_and_no_others(bench: Bench, few: Task) -> None:
    """The rehearsal is public and can be looked up; held-out texts are not there to be quoted."""
    result = bench.run(attack("prompt_recites"), few)
    assert result.outcome is Outcome.scored, result
    assert result.score is not None
    assert result.rehearsal_score is not None
    assert result.rehearsal_score < result.score - 0.2
    assert result.score > 0.5
