"""Two rooms: the loss of a language model, asked at once and yet not believed.

Step by step, a model of language answers honestly but slowly: what comes next is asked before it
is told. Asked for whole windows it is fast, but then every token is in the question, and who
sees an answer can claim to have foreseen it. So two predictors of one candidate are asked:

    room A, "whole"   gets whole windows and claims a loss for each token. Then it dies.
    room B, "blind"   a fresh container, gets prefixes that end at positions drawn after that
                      death, and answers with logits for a token that is not in any question.

The scorer prices the token that B never saw. The value of a window is the mean of its claims plus
a weighted sum of (blind − claim) over its drawn positions: whatever was claimed, its expectation
is the mean loss of room B. Claims only make it precise.

Not covered: what the two containers can tell each other in spite of the sandbox, and windows that
give each other away. One document must not give two windows.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealed_task.contract import Dishonest
from sealed_task.expect import Array
from sealed_task.predictors import Predictors
from sealed_task.values import Value

Floats = NDArray[np.float64]

LEAST_UNDERCUT = 1e-6
"""Nats that a position undercuts by, at least: where none undercuts, all are drawn evenly."""


@dataclass(frozen=True)
class Audit:
    """How the rooms are asked, and what an honest candidate may show."""

    classes: int = 256
    """Tokens are below this; so many logits has an answer of room B."""
    whole_batch: int = 16
    """Windows in one question to room A."""
    blind_batch: int = 64
    """Prefixes in one question to room B."""
    draws: int = 4
    """Positions drawn in each window."""
    ceiling: float = 16.0
    """Nats: the most that a token can cost; claims above it are invalid, blind prices clipped."""
    tolerance: float = 0.001
    """Nats: the mean correction that is always allowed, in either direction."""
    hard_tolerance: float = 0.05
    """Nats: the most that one claim may differ from its blind price."""


@dataclass(frozen=True)
class Heard:
    """What two rooms said of n windows, with k draws each."""

    claims: Floats
    """Nats, shape (n, length)."""
    differences: Floats
    """Blind price less claim, nats, shape (n, k)."""
    corrections: Floats
    """Weighted sum of a window's differences, nats, shape (n,)."""


def two_rooms(
    predictors: Predictors,
    windows: NDArray[np.uint8],
    reference: Floats,
    *,
    audit: Audit = Audit(),
) -> Floats:
    """The mean loss of each window, nats a token, shape (n,), audited.

    windows    uint8, shape (n, length): tokens; one window a document.
    reference  float64, shape (n, length): nats that a trusted n-gram model charges for each token.

    Room A is asked `{"room": "whole", "windows": uint8 (batch, length)}` and answers float32 of
    shape (batch, length): nats, in 0 to `ceiling`. Room B is asked `{"room": "blind", "prefixes":
    [uint8 (t,), …]}`, where a prefix may be empty, and answers float32 logits, (batch, classes).

    The values carry the audit's own error in their spread, so a standard error taken from them
    needs no further term. Raises `Dishonest`, and `Invalid` for a malformed answer.
    """
    if windows.dtype != np.uint8 or windows.ndim != 2 or len(windows) < 2:
        raise ValueError(f"windows are uint8 (n, length), n > 1; not {windows.shape}")
    if reference.shape != windows.shape or not np.isfinite(reference).all():
        raise ValueError(f"the reference needs a finite number for each of {windows.shape}")
    heard = _listen(predictors, windows, reference, audit, baseline=False)
    fault = verdict(heard, audit.tolerance, audit.hard_tolerance)
    if fault:
        honest = _listen(predictors, windows, reference, audit, baseline=True)
        fault = verdict(heard, *floored(honest, audit))
    if fault:
        raise Dishonest(fault)
    values: Floats = heard.claims.mean(axis=1) + heard.corrections
    return values


def _listen(
    predictors: Predictors,
    windows: NDArray[np.uint8],
    reference: Floats,
    audit: Audit,
    *,
    baseline: bool,
) -> Heard:
    rng = predictors.rng
    count, length = windows.shape
    with predictors.open(baseline=baseline) as room:
        claims = np.empty(windows.shape)
        batches = list(_batches(rng.permutation(count), audit.whole_batch))
        for batch in batches:
            expect = Array("f4", (len(batch), length), 0, audit.ceiling)
            claims[batch] = room.ask({"room": "whole", "windows": windows[batch]}, expect)
    with predictors.open(baseline=baseline) as room:  # that room A is dead is confirmed here
        chances = inclusion(claims, np.minimum(reference, audit.ceiling), audit.draws)
        positions = draw(chances, rng)
        blind = np.empty(positions.shape)
        for column in range(audit.draws):  # answers are final before a longer prefix is sent
            for batch in _batches(rng.permutation(count), audit.blind_batch):
                ends = positions[batch, column]
                prefixes: Value = [windows[i, :end] for i, end in zip(batch, ends, strict=True)]
                logits = room.ask(
                    {"room": "blind", "prefixes": prefixes},
                    Array("f4", (len(batch), audit.classes)),
                )
                blind[batch, column] = prices(logits, windows[batch, ends], audit.ceiling)
    differences = blind - np.take_along_axis(claims, positions, axis=1)
    weights = 1 / (length * np.take_along_axis(chances, positions, axis=1))
    return Heard(claims, differences, (weights * differences).sum(axis=1))


def _batches(order: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    for begin in range(0, len(order), size):
        yield order[begin : begin + size]


def inclusion(claims: Floats, reference: Floats, draws: int) -> Floats:
    """Chance of each position to be drawn, shape (n, length); each row sums to `draws`.

    Half is uniform, half in proportion to how far a claim undercuts the reference; none above 1.
    """
    length = claims.shape[1]
    if not 1 <= draws <= length:
        raise ValueError(f"{draws} draws from {length} positions")
    undercut = np.maximum(reference - claims, 0) + LEAST_UNDERCUT
    least = draws / (2 * length)
    most = 1 - least
    extra = np.zeros_like(undercut)
    full = np.zeros(undercut.shape, dtype=np.bool_)
    while True:
        share = np.where(full, 0, undercut)
        share /= np.maximum(share.sum(axis=1, keepdims=True), LEAST_UNDERCUT)
        left = np.maximum(draws / 2 - most * full.sum(axis=1, keepdims=True), 0)
        extra = np.where(full, most, left * share)
        if not (extra > most).any():
            chances: Floats = least + extra
            return chances
        full |= extra > most


def draw(chances: Floats, rng: np.random.Generator) -> NDArray[np.int64]:
    """Distinct positions, ascending, shape (n, draws): each drawn with exactly its chance.

    Systematic sampling in an order of its own for each window, so that which positions are drawn
    together is not for a candidate to foresee.
    """
    count, length = chances.shape
    draws = round(float(chances[0].sum()))
    order = np.argsort(rng.random(chances.shape), axis=1)
    ends = np.cumsum(np.take_along_axis(chances, order, axis=1), axis=1)
    marks = rng.random((count, 1)) + np.arange(draws)
    places = np.array(
        [np.searchsorted(e, m, side="right") for e, m in zip(ends, marks, strict=True)]
    )
    places = np.minimum(places, length - 1)
    return np.sort(np.take_along_axis(order, places, axis=1), axis=1)


def prices(logits: NDArray[np.float32], tokens: NDArray[np.uint8], ceiling: float) -> Floats:
    """Nats that these logits, shape (n, classes), charge for n tokens, at most `ceiling`."""
    exact = logits.astype(np.float64)
    exact -= exact.max(axis=1, keepdims=True)
    charged: Floats = np.log(np.exp(exact).sum(axis=1)) - exact[np.arange(len(tokens)), tokens]
    return np.minimum(charged, ceiling)


def verdict(heard: Heard, tolerance: float, hard_tolerance: float) -> str:
    """Why a candidate is dishonest, in words that tell nothing of the data; empty if it is not."""
    if np.abs(heard.differences).max() > hard_tolerance:
        return "a claimed loss differs from what the model says blind"
    error = heard.corrections.std(ddof=1) / np.sqrt(len(heard.corrections))
    if abs(heard.corrections.mean()) > max(tolerance, 4 * error):
        return "the claimed losses differ, in the mean, from what the model says blind"
    return ""


def floored(honest: Heard, audit: Audit) -> tuple[float, float]:
    """Tolerance and hard tolerance, at least twice what the honest baseline shows between rooms."""
    return (
        max(audit.tolerance, 2 * abs(float(honest.corrections.mean()))),
        max(audit.hard_tolerance, 2 * float(np.abs(honest.differences).max())),
    )
