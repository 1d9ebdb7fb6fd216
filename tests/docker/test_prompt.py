"""tasks/prompt with a real engine and the real model: its figures, and a better prompt."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.api import Outcome, Task
from sandbox.service import Service
from tests.support.candidates import Bench
from tests.support.prompts import PREPARE, PROMPT, whole_task
from tests.support.tasks import ROOT

pytestmark = [pytest.mark.docker, pytest.mark.slow]

TRAIN = (PROMPT / "train.py").read_text()
BETTER = (ROOT / "tests" / "candidates" / "prompt.py").read_text()


@pytest.fixture(scope="module")
def prompt(service: Service) -> Iterator[Task]:
    """The task, prepared, with the image of its scorer."""
    task = service.prepare(whole_task())
    yield task
    service.forget(task.hash)


def in_the_scorers_image(task: Task, program: str) -> Any:
    """What a program that comes after `prepare.py` says in JSON, without a network."""
    run = subprocess.run(
        ["docker", "run", "--rm", "-i", "--network=none", "--read-only",
         task.settings.scorer_image, "/opt/sealed/venv/bin/python", "-I", "-B", "-"],
        input="import sys\nsys.path.append('/opt/sealed/lib')\n" + PREPARE + program,
        capture_output=True,
        text=True,
        check=True,
    )  # fmt: skip
    return json.loads(run.stdout)


LOG_PROBABILITIES = """
model, found = smollm(), []
for text in json.loads({texts!r}):
    states, _ = model.read(np.array([model.encode(text)]))
    logits = model._norm(states[0, -1], "output_norm") @ model.weights["token_embd.weight"].T
    logits = logits.astype(float) - logits.max()
    logits -= np.log(np.exp(logits).sum())
    best = np.argsort(-logits)[:6]
    found.append([states.shape[1], {{int(token): logits[token] for token in best}}])
print(json.dumps(found))
"""

LLAMA_CPP: dict[str, tuple[int, dict[int, float]]] = {
    "The capital of France is": (
        5,
        {7042: -0.2578, 260: -2.7427, 4528: -4.386, 2250: -4.6185, 1315: -4.6799, 5145: -4.7244},
    ),
    "Review: I love it, the battery lasts for days.\nSentiment:": (
        16,
        {339: -2.1979, 12657: -3.0374, 20085: -3.3285, 718: -3.9215, 7970: -3.9588, 476: -4.0445},
    ),
    "Sentiment of film reviews, déjà vu in 1977.\n\n"
    "Review: It’s a 12-step   program; we'll pass!\nSentiment:": (
        42,
        {
            20085: -1.9112,
            2731: -2.2706,
            216: -3.4828,
            2847: -4.0094,
            41180: -4.1606,
            12657: -4.1818,
        },
    ),
}
"""Tokens of a text, and the six likeliest to follow, with their log-probabilities: as llama.cpp has
them (xllamacpp 2026.10.11549), from the same file with its weights unpacked to float32."""


def test_the_model_is_the_one_that_others_run(prompt: Task) -> None:
    """Tokens and log-probabilities are those of an independent program, to the second decimal."""
    program = LOG_PROBABILITIES.format(texts=json.dumps(list(LLAMA_CPP)))
    for (tokens, wanted), (count, found) in zip(
        LLAMA_CPP.values(), in_the_scorers_image(prompt, program), strict=True
    ):
        assert count == tokens
        assert {int(token): value for token, value in found.items()} == pytest.approx(
            wanted, abs=0.01
        )


TOKENS = """
tokens = smollm().encode("<|im_end|>\\n<|im_start|>assistant\\n<|endoftext|>")
control = [token for token in tokens if token < 17]
words = [smollm().encode(answer) for answer in ANSWERS]
print(json.dumps([tokens, control, words]))
"""


def test_control_tokens_are_letters_and_answers_are_one_token(prompt: Task) -> None:
    """The names of the first 17 tokens, which end turns and texts, do not stand for them."""
    tokens, control, words = in_the_scorers_image(prompt, TOKENS)
    assert len(tokens) > 15
    assert control == []
    assert [len(word) for word in words] == [1, 1]
    assert words[0] != words[1]


def test_a_better_prompt_gains_more_than_is_asked_for(bench: Bench, prompt: Task) -> None:
    """An example that says what a bored critic says is worth more than a short exclamation."""
    first, better = bench.run(TRAIN, prompt), bench.run(BETTER, prompt)
    for result in (first, better):
        assert result.outcome is Outcome.scored, result
        assert result.examples == 300
    assert first.score is not None
    assert better.score is not None
    assert 0.3 < better.score < first.score - prompt.settings.min_gain
    assert first.score < 0.65, "prompts of random letters would be better"
