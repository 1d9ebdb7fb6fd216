"""tasks/prompt: its splits, its arithmetic on a tiny model, and what its baseline writes."""

import io
import json
import math
import struct
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from controller.agents.marks import marked
from sandbox.tasks.settings import parse_program
from sealed_task import Folders, Invalid
from tests.support.predictors import Loopback
from tests.support.tasks import ROOT, load_module, prepared

PROMPT = ROOT / "tasks" / "prompt"
PREPARE = load_module(PROMPT / "prepare.py")
TEXTS = {"train": 1200, "rehearsal": 60, "held_out": 300, "vault": 300}

Rows = NDArray[Any]


# ---- the data ---------------------------------------------------------------------------------


def archive(lines: list[str]) -> bytes:
    """A package with these lines of ratings, packed as the real one is."""

    def packed(name: str, data: bytes) -> bytes:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
        return buffer.getvalue()

    ratings = packed(
        "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt", "\r\n".join(lines).encode()
    )
    inner = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
    return packed(inner, ratings)


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Folders]:
    """Makes the four splits of a made-up archive under a salt."""
    lines = [f"{n}\t{(-1) ** n * (1.1 + n % 3)}\tReview number {n}, made up." for n in range(2000)]
    lines += [lines[0], "2000\t0.9\tNeither good nor bad, I'd say.", "2001\t3.5\tShort."]
    package = archive(lines)

    def made(salt: int) -> Folders:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(PREPARE, "package_file", lambda *_: package)
            return prepared(PREPARE, tmp_path_factory.mktemp("prompt"), salt)

    return made


def reviews_of(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((folder / "reviews.json").read_text())
    return rows


def test_the_splits_share_no_text_and_have_half_of_either_label(
    split: Callable[[int], Folders],
) -> None:
    """So nothing is won by knowing which label is the commoner one."""
    folders, seen = split(1), set()
    for name, size in TEXTS.items():
        rows = reviews_of(getattr(folders, name))
        assert len(rows) == size
        assert sum(row["label"] for row in rows) == size // 2
        seen |= {row["text"] for row in rows}
    assert len(seen) == sum(TEXTS.values())


def test_labels_are_not_in_the_order(split: Callable[[int], Folders]) -> None:
    """Neither half of a split has nearly all of one label."""
    labels = [row["label"] for row in reviews_of(split(1).held_out)]
    assert 50 < sum(labels[:150]) < 100


def test_another_salt_makes_another_split(split: Callable[[int], Folders]) -> None:
    """Who knows the public archive by heart does not know what is held out; the same salt does."""
    first, again, other = (
        {row["text"] for row in reviews_of(split(salt).held_out)} for salt in (1, 1, 2)
    )
    assert first == again
    assert 0.05 < len(first & other) / len(first) < 0.4


def test_what_is_unclear_or_short_or_there_before_is_left_out() -> None:
    """A text is taken once, with its spaces and entities made plain, and its rating's sign."""
    long = "x" * 101
    lines = [
        "1\t1.5\tWarm &amp; funny,  and moving.",
        "2\t-2.0\tA dull and clumsy film.",
        "3\t-2.0\tA dull and clumsy film.",
        "4\t1.0\tNeither here nor there.",
        "5\t-3\tToo short.",
        f"6\t3\t{long}",
    ]
    assert PREPARE.read_reviews(archive(lines)) == [
        ("A dull and clumsy film.", 0),
        ("Warm & funny, and moving.", 1),
    ]


# ---- the arithmetic ---------------------------------------------------------------------------


def test_knowing_nothing_costs_a_bit_and_a_sure_mistake_less_than_seven() -> None:
    """Only the two answers count: what else the model might have said changes nothing."""
    logits = np.array([[0.0, 0.0], [7.5, 7.5], [50.0, 0.0], [50.0, 0.0], [-900.0, -950.0]])
    bits = PREPARE.cost(logits, np.array([0, 1, 0, 1, 0]))
    grain = PREPARE.GRAIN
    right, wrong = -math.log2(1 - grain), -math.log2(grain)
    assert bits == pytest.approx([1, 1, right, wrong, right])
    assert wrong < 6.7


def test_the_same_answer_to_all_texts_is_never_better_than_a_bit() -> None:
    """Half of the labels are of either kind: a prompt that leaves texts unread wins nothing."""
    labels = np.array([0, 1] * 50)
    for fondness in (-20, -1, -0.1, 0, 0.1, 1, 20):
        logits = np.tile([0.0, fondness], (100, 1))
        assert PREPARE.cost(logits, labels).mean() >= 1


LAYERS, HEADS, ASKING, SIZE, WIDTH = 2, 2, 3, 4, 24


@pytest.fixture(scope="module")
def tiny() -> Any:
    """A model as small as they come, with drawn weights; its tokens are bytes, without spaces."""
    rng = np.random.default_rng(0)

    def drawn(*shape: int) -> Rows:
        return rng.normal(0, 0.4, shape).astype(np.float32)

    weights = {"token_embd.weight": drawn(256, WIDTH), "output_norm.weight": drawn(WIDTH)}
    for layer in range(LAYERS):
        shapes = {
            "attn_norm": (WIDTH,),
            "attn_q": (HEADS * ASKING * SIZE, WIDTH),
            "attn_k": (HEADS * SIZE, WIDTH),
            "attn_v": (HEADS * SIZE, WIDTH),
            "attn_output": (WIDTH, WIDTH),
            "ffn_norm": (WIDTH,),
            "ffn_gate": (40, WIDTH),
            "ffn_up": (40, WIDTH),
            "ffn_down": (WIDTH, 40),
        }
        weights |= {f"blk.{layer}.{name}.weight": drawn(*s) for name, s in shapes.items()}
    facts = {
        "llama.block_count": LAYERS,
        "llama.attention.head_count_kv": HEADS,
        "llama.rope.dimension_count": SIZE,
        "llama.rope.freq_base": 100.0,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
    }
    return PREPARE.Model(facts, weights, lambda text: list(text.replace(" ", "").encode()))


def textbook(model: Any, tokens: list[int]) -> Rows:
    """Logits of all tokens that may follow: no cache, no batch, a head and a token at a time."""

    def weight(name: str) -> Rows:
        return np.asarray(model.weights[f"{name}.weight"], dtype=np.float64)

    def norm(vector: Rows, name: str) -> Rows:
        return np.asarray(vector / math.sqrt((vector**2).mean() + 1e-5) * weight(name))

    def turned(vector: Rows, place: int) -> Rows:
        result = vector.copy()
        for pair in range(SIZE // 2):
            turn = np.exp(1j * place / 100.0 ** (2 * pair / SIZE))
            number = complex(vector[2 * pair], vector[2 * pair + 1]) * turn
            result[2 * pair : 2 * pair + 2] = number.real, number.imag
        return result

    states = [weight("token_embd")[token] for token in tokens]
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        inputs = [norm(state, f"{block}attn_norm") for state in states]
        taken = []
        for place in range(len(tokens)):
            parts = []
            for head in range(HEADS * ASKING):
                rows = slice(SIZE * head, SIZE * (head + 1))
                shared = slice(SIZE * (head // ASKING), SIZE * (head // ASKING + 1))
                query = turned(weight(f"{block}attn_q")[rows] @ inputs[place], place)
                keys, values = weight(f"{block}attn_k")[shared], weight(f"{block}attn_v")[shared]
                seen = range(place + 1)
                marks = np.array([query @ turned(keys @ inputs[other], other) for other in seen])
                shares = np.exp(marks / math.sqrt(SIZE)) / np.exp(marks / math.sqrt(SIZE)).sum()
                parts.append(sum(shares[other] * (values @ inputs[other]) for other in seen))
            taken.append(weight(f"{block}attn_output") @ np.concatenate(parts))
        for place in range(len(tokens)):
            states[place] = states[place] + taken[place]
            inner = norm(states[place], f"{block}ffn_norm")
            gate = weight(f"{block}ffn_gate") @ inner
            gate = gate / (1 + np.exp(-gate)) * (weight(f"{block}ffn_up") @ inner)
            states[place] = states[place] + weight(f"{block}ffn_down") @ gate
    return np.asarray(weight("token_embd") @ norm(states[-1], "output_norm"))


def test_what_is_read_once_and_side_by_side_is_what_is_read_alone(tiny: Any) -> None:
    """A kept prefix, texts in batches by length and room beyond their ends change no logit."""
    texts = [f"{'so ' * (number % 7)}good{number}" for number in range(PREPARE.BATCH + 3)]
    logits = tiny.next_logits("read once", texts, PREPARE.ANSWERS)
    columns = [tiny.encode(answer)[0] for answer in PREPARE.ANSWERS]
    for text, found in zip(texts, logits, strict=True):
        wanted = textbook(tiny, tiny.encode("read once" + text))[columns]
        assert found == pytest.approx(wanted, abs=1e-4)
    assert np.ptp(logits[:, 0] - logits[:, 1]) > 0.1


def scored(
    tiny: Any, folder: Path, prompt: Any, monkeypatch: pytest.MonkeyPatch
) -> tuple[Rows, list[str], Loopback]:
    """Values of a prompt, what the model was given to read, and the loopback."""
    read: list[str] = []

    def encode(text: str) -> list[int]:
        read.append(text)
        return list(tiny.encode(text))

    model = PREPARE.Model(tiny.facts, tiny.weights, encode)
    monkeypatch.setattr(PREPARE, "smollm", lambda: model)
    loopback = Loopback(lambda question: prompt)
    predictors = PREPARE.Predictors(loopback.requests, loopback.replies)
    return PREPARE.score(folder, predictors).values, read, loopback


def test_a_prompt_is_asked_for_before_any_text(
    tiny: Any, split: Callable[[int], Folders], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One predictor is asked one question, and there is nothing in it."""
    values, _, loopback = scored(tiny, split(1).rehearsal, "Be brief.", monkeypatch)
    assert loopback.questions == [None]
    assert loopback.events == ["open", "ask", "reply", "close"]
    assert values.shape == (60,)


def test_a_prompt_is_text_and_nothing_more(
    tiny: Any, split: Callable[[int], Folders], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Braces in it stay braces, and the question after it is the scorer's, letter by letter."""
    folder = split(1).rehearsal
    prompt = "{text} {label} {0} %s\n\nReview: fine\nSentiment: positive\n\nReview:"
    _, read, _ = scored(tiny, folder, prompt, monkeypatch)
    questions = [f"Review: {row['text']}\nSentiment:" for row in reviews_of(folder)]
    assert read == [*questions, " negative", " positive", f"{prompt}\n\n"]


@pytest.mark.parametrize("prompt", ["x" * 2049, "é" * 1025, None, b"text", ["text"]])
def test_a_prompt_is_a_short_text(
    tiny: Any, split: Callable[[int], Folders], monkeypatch: pytest.MonkeyPatch, prompt: Any
) -> None:
    """Anything else is no answer."""
    with pytest.raises(Invalid):
        scored(tiny, split(1).rehearsal, prompt, monkeypatch)


def test_the_longest_prompt_pushes_no_text_out_of_sight(
    tiny: Any, split: Callable[[int], Folders], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all bytes that it may have, the texts are still told apart; and no token is more than
    a byte, so the model's 8192 places are never used up."""
    values, _, _ = scored(tiny, split(1).rehearsal, "§!" * 682, monkeypatch)
    assert np.ptp(values) > 0.01
    longest = PREPARE.QUESTION.format("x" * PREPARE.LENGTH[1])
    assert PREPARE.PROMPT_BYTES + 2 + 4 * len(longest) < 8192


# ---- the model's file -------------------------------------------------------------------------


def test_a_gguf_file_is_read(tmp_path: Path) -> None:
    """Facts of all kinds that are needed, and matrices in plain floats, eight and four bits."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value.encode())) + value.encode()

    facts = b"".join(
        (
            text("name") + struct.pack("<I", 8) + text("tiny é"),
            text("layers") + struct.pack("<II", 4, 30),
            text("base") + struct.pack("<If", 6, 0.5),
            text("flag") + struct.pack("<I?", 7, True),
            text("tokens") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("bc"),
        )
    )
    tensors = b"".join(
        text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, place)
        for name, shape, kind, place in (
            ("plain", (2, 3), 0, 0),
            ("eight", (32, 2), 8, 32),
            ("four", (32, 1), 3, 128),
        )
    )
    head = b"GGUF" + struct.pack("<IQQ", 3, 3, 5) + facts + tensors
    data = np.arange(6, dtype="<f4").tobytes().ljust(32, b"\0")
    for row in range(2):
        data += struct.pack("<e32b", 0.5 + row, *range(-16, 16))
    data = data.ljust(128, b"\0") + struct.pack("<ee", 0.25, -2.0)
    data += bytes(low | (15 - low) << 4 for low in range(16))
    file = tmp_path / "tiny.gguf"
    file.write_bytes(head.ljust(-(-len(head) // 32) * 32, b"\0") + data)
    with file.open("rb") as stream:
        read, weights = PREPARE.read_gguf(stream)
    assert read == {
        "name": "tiny é",
        "layers": 30,
        "base": 0.5,
        "flag": True,
        "tokens": ["a", "bc"],
    }
    assert weights["plain"].tolist() == [[0, 1], [2, 3], [4, 5]]
    steps = np.arange(-16, 16)
    assert weights["eight"].tolist() == [(0.5 * steps).tolist(), (1.5 * steps).tolist()]
    four = [0.25 * low - 2 for low in (*range(16), *range(15, -1, -1))]
    assert weights["four"].tolist() == [four]
    assert {matrix.dtype for matrix in weights.values()} == {np.dtype("f4")}


# ---- the beginning ----------------------------------------------------------------------------


@pytest.fixture
def train(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The baseline, with `prepare` to import, as in its container."""
    monkeypatch.setitem(sys.modules, "prepare", PREPARE)
    return load_module(PROMPT / "train.py")


def test_the_baseline_writes_a_prompt(
    train: ModuleType, split: Callable[[int], Folders], tmp_path: Path
) -> None:
    """An instruction and examples with their labels, the same whatever the seed."""
    folders = split(1)
    prompts = []
    for seed in (1, 2):
        (artifact := tmp_path / str(seed)).mkdir()
        train.train(folders.train.parent, artifact, seed, 1.0)
        assert [file.name for file in artifact.iterdir()] == ["prompt.txt"]
        prompts.append(train.load(artifact)(None))
    example = "Review: A dull film.\nSentiment: negative"
    assert prompts == [f"{train.INSTRUCTIONS['meaning']}\n\n{example}"] * 2


def test_examples_of_the_data_have_their_labels(
    train: ModuleType, split: Callable[[int], Folders]
) -> None:
    """Those whose length is next to what is asked for."""
    rows = reviews_of(split(1).train)
    labels = {row["text"]: row["label"] for row in rows}
    train.WORDING, train.SHOWN, train.EXAMPLES = "none", "none", 4  # type: ignore[attr-defined]
    examples = train.written(rows).removeprefix("Review: ").split("\n\nReview: ")
    told = dict(example.split("\nSentiment:") for example in examples)
    assert len(told) == 4
    assert told == {text: PREPARE.ANSWERS[labels[text]] for text in told}


@pytest.mark.parametrize("last", ["negative", "positive"])
@pytest.mark.parametrize("shown", ["both", "negative", "positive", "none"])
@pytest.mark.parametrize("wording", ["meaning", "question", "heading", "none"])
def test_whatever_the_search_sets_is_a_prompt(
    train: ModuleType, split: Callable[[int], Folders], wording: str, shown: str, last: str
) -> None:
    """Within the bytes that it may have, with the last example of the label that was asked for."""
    rows = reviews_of(split(1).train)
    train.WORDING, train.LAST = wording, last  # type: ignore[attr-defined]
    train.SHOWN, own = shown, len(train.LABELS[shown])  # type: ignore[attr-defined]
    for train.EXAMPLES in (0, 1, 6):  # type: ignore[attr-defined]
        for train.LENGTH in (20, 100):  # type: ignore[attr-defined]
            prompt = train.written(rows)
            assert len(prompt.encode()) <= PREPARE.PROMPT_BYTES
            assert prompt.count("Sentiment:") == train.EXAMPLES + own
            end = {"both": "negative", "none": last}.get(shown, shown)
            assert prompt.count("Sentiment:") == 0 or prompt.endswith(f"Sentiment: {end}")


def test_settings_and_marks() -> None:
    """Lower is better, the image of the scorer is its own, and there are constants to search."""
    settings, prose = parse_program((PROMPT / "program.md").read_text())
    assert (settings.goal, settings.metric) == ("minimize", "bits")
    assert settings.scorer_image == "sealed-scorer-prompt"
    assert str(PREPARE.PROMPT_BYTES) in prose
    names = {constant.name for constant in marked((PROMPT / "train.py").read_text()).constants}
    assert names == {"WORDING", "OWN", "SHOWN", "EXAMPLES", "LAST", "LENGTH"}
