"""Two rooms: the loss of a language model, asked at once and yet not believed.

Step by step, a language model must answer honestly: the next token is not told before it is
priced. That is slow. Asked for whole windows it is fast, but every token is in the question, and
who has seen a token can claim to have foreseen it. So two predictors of one candidate are asked:

    room A, "whole"   gets whole windows and claims what each token costs. Then it dies.
    room B, "blind"   a fresh container. It gets prefixes that end at positions drawn after that
                      death, and answers with logits of a token that no question has shown it.

The scorer prices the token that room B never saw. A window's value is the mean of its claims plus
a weighted sum of (blind − claim) over the drawn positions, whose expectation is the mean blind
loss of the window, whatever was claimed: claims buy precision, and nothing else.

What is left to a cheat is a lottery: to undercut few positions by much, and hope that none of
them is drawn. Therefore half of the chance is uniform (which bounds the weights), a quarter goes to
positions where a claim undercuts a trusted reference, by the square of the undercut, and a quarter
to what surprises the reference, for there alone do models lose much that is worth hiding. Measured
with English text, 160 windows of 512 bytes, a trusted 5-gram, a candidate better than it by 0.09
nats, four draws: share of scorings that miss a faked gain of 0.005 nats

    what is claimed                                    uniform  linear  these
    nothing for the tokens that cost it most             0.82    0.02   0.0004
    the reference's own price where it has less          0.69    0.83   0.52
    whatever is best against the rule                    0.82    0.83   0.63

("linear": half uniform, half by the undercut itself.) The last two rows know the reference and
rule; a gain of 0.02 nats they carry through in 0.10. The exponent grows with windows, draws and
gain: take more windows, or draws, and let no single scoring decide.

Not covered: what two containers can tell each other in spite of the sandbox, and windows that give
each other away. One document gives one window.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from sealed_task.contract import Dishonest
from sealed_task.expect import Array
from sealed_task.predictors import Predictors
from sealed_task.values import Value

Floats = NDArray[np.float64]
Tokens = NDArray[np.uint8]

LEAST = 1e-9
"""Stands for a zero, where a window gives no position a reason to be drawn, or too few."""

REMEDY = "both rooms must compute the same, from the tokens before alone"
"""What an honest candidate is told in its rehearsal."""


@dataclass(frozen=True)
class Audit:
    """How the rooms are asked, and how far an honest candidate's answers may lie apart."""

    classes: int = 256
    """Tokens are below this; an answer of room B has as many logits a prefix."""
    whole_batch: int = 16
    """Windows in a question to room A."""
    blind_batch: int = 64
    """Prefixes in a question to room B."""
    draws: int = 4
    """Positions drawn in each window. Each costs room B half a window, unless it keeps states."""
    ceiling: float = 16.0
    """Nats: the most that a token costs. Blind prices are clipped; a claim above it is invalid."""
    tolerance: float = 0.001
    """Nats: a mean correction, in either direction, that is never dishonest."""
    hard_tolerance: float = 0.05
    """Nats: the most by which one claim may differ from its blind price."""
    standard_errors: float = 4.0
    """A mean correction within so many standard errors of itself is not dishonest either."""
    baseline_factor: float = 2.0
    """Both tolerances are at least this multiple of what the baseline shows between the rooms."""

    def __post_init__(self) -> None:
        counts = (self.classes, self.whole_batch, self.blind_batch, self.draws)
        if min(counts) < 1 or self.classes > 256:
            raise ValueError(f"an audit needs counts of 1 or more, and bytes as tokens: {self}")


@dataclass(frozen=True)
class Heard:
    """What the rooms said of n windows, k positions drawn in each."""

    claims: Floats
    """Nats, shape (n, length)."""
    differences: Floats
    """Blind price less claim at each drawn position, nats, shape (n, k)."""
    corrections: Floats
    """What the differences add to the mean of each window's claims, nats, shape (n,)."""


def two_rooms(
    predictors: Predictors,
    windows: Tokens,
    reference: Floats,
    *,
    audit: Audit = Audit(),
) -> Floats:
    """The mean loss of each window, nats a token, shape (n,), audited.

    windows    uint8, shape (n, length), n > 1: tokens; one window a document, so that windows of
               one document never meet in a predictor.
    reference  float64, shape (n, length): nats that a trusted n-gram model charges for each token.
               The better the model, the fewer positions there are to hide at.

    Room A is asked `{"room": "whole", "windows": uint8 (batch, length)}` and answers the nats of
    every token, float32 (batch, length), from 0 to `ceiling`. Room B is asked `{"room": "blind",
    "prefixes": [uint8 (t,), …]}`, each `windows[i, :t]` and perhaps empty, and answers raw logits
    of the token that follows, float32 (batch, classes).

    The audit's error is in the spread of the values, so a standard error taken from them needs no
    term for it. Raises `Dishonest`, in words that tell nothing of the data; `Invalid` for an answer
    of another form; `ValueError` for arguments of another form.
    """
    if windows.ndim != 2 or windows.dtype != np.uint8 or len(windows) < 2:
        raise ValueError(f"windows are {windows.dtype} {windows.shape}, not uint8 (n > 1, length)")
    if windows.size and int(windows.max()) >= audit.classes:
        raise ValueError(f"a window has a token that is not below {audit.classes}")
    if reference.shape != windows.shape or not np.isfinite(reference).all():
        raise ValueError(f"the reference is not finite, or not of shape {windows.shape}")

    @cache
    def lenient() -> Audit:
        """Measured when a candidate is beyond the strict tolerances, and not before."""
        heard = _listen(predictors, windows, reference, audit, lambda _: None, baseline=True)
        return floored(audit, heard)

    def refuse(fault: Callable[[Audit], str]) -> None:
        if fault(audit) and (reason := fault(lenient())):
            raise Dishonest(reason)

    def check_round(differences: Floats) -> None:
        refuse(lambda tolerances: single_fault(differences, tolerances))

    heard = _listen(predictors, windows, reference, audit, check_round, baseline=False)
    refuse(lambda tolerances: mean_fault(heard.corrections, tolerances))
    values: Floats = heard.claims.mean(axis=1) + heard.corrections
    return values


def _listen(
    predictors: Predictors,
    windows: Tokens,
    reference: Floats,
    audit: Audit,
    check_round: Callable[[Floats], None],
    *,
    baseline: bool,
) -> Heard:
    """Ask both rooms, of the candidate or of the baseline."""
    rng = predictors.rng
    claims = np.empty(windows.shape)
    with predictors.open(baseline=baseline) as whole:
        for batch in _batches(rng.permutation(len(windows)), audit.whole_batch):
            expect = Array("f4", (len(batch), windows.shape[1]), 0, audit.ceiling)
            claims[batch] = whole.ask({"room": "whole", "windows": windows[batch]}, expect)
    with predictors.open(baseline=baseline) as blind:  # the other's death is confirmed by now
        chances = inclusion(claims, np.clip(reference, 0, audit.ceiling), audit.draws)
        positions = draw(chances, audit.draws, rng)
        differences = np.empty(positions.shape)
        # A round asks one prefix a window, each longer than the last round's, so that an answer is
        # final before a later question shows its token. And a round is judged before the next: a
        # longer prefix tells a cheat that it has been caught, and it must not crash first.
        for ends, difference in zip(positions.T, differences.T, strict=True):
            for batch in _batches(rng.permutation(len(windows)), audit.blind_batch):
                prefixes: Value = [windows[row, : ends[row]] for row in batch]
                expect = Array("f4", (len(batch), audit.classes))
                logits = blind.ask({"room": "blind", "prefixes": prefixes}, expect)
                price = prices(logits, windows[batch, ends[batch]], audit.ceiling)
                difference[batch] = price - claims[batch, ends[batch]]
            check_round(difference)
    weights = 1 / (windows.shape[1] * np.take_along_axis(chances, positions, axis=1))
    return Heard(claims, differences, (weights * differences).sum(axis=1))


def _batches(order: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    return (order[start : start + size] for start in range(0, len(order), size))


def inclusion(claims: Floats, reference: Floats, draws: int) -> Floats:
    """Chance of each position to be among its window's `draws`, shape (n, length).

    claims, reference   nats, at least 0, shape (n, length).

    Half uniform, a quarter in proportion to the reference, a quarter to the square of what a claim
    undercuts it by. None is above 1, each row sums to `draws`, and none is below half of the
    uniform chance: with weights 1 / (length · chance), a difference counts at most twice.
    """
    length = claims.shape[1]
    if not 1 <= draws <= length:
        raise ValueError(f"{draws} draws from {length} positions")
    undercut = np.maximum(reference - claims, 0) ** 2
    wanted = _shares(reference) + _shares(undercut) + LEAST
    least = draws / (2 * length)
    most = 1 - least
    full = np.zeros(wanted.shape, dtype=np.bool_)
    while True:  # what a position can't take, the others share; each turn fills at least one
        left = np.maximum(draws / 2 - most * full.sum(axis=1, keepdims=True), 0)
        extra = np.where(full, most, left * _shares(np.where(full, 0, wanted)))
        if not (extra > most).any():
            chances: Floats = least + extra
            return chances
        full |= extra > most


def _shares(amounts: Floats) -> Floats:
    """Each row in proportion to its amounts, shape (n, length); the sum is 1, or 0 of nothing."""
    shares: Floats = amounts / np.maximum(amounts.sum(axis=1, keepdims=True), LEAST)
    return shares


def draw(chances: Floats, draws: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Distinct positions, ascending in each window, shape (n, draws), drawn with these chances.

    Systematic sampling, in an order that is drawn anew for each window: so it is not for a
    candidate to arrange which positions are drawn together.
    """
    order = rng.permuted(np.broadcast_to(np.arange(chances.shape[1]), chances.shape), axis=1)
    ends = np.cumsum(np.take_along_axis(chances, order, axis=1), axis=1)
    ends *= draws / ends[:, -1:]  # exactly, whatever rounding did
    marks = np.arange(draws) + rng.random((len(chances), 1))
    places = [np.searchsorted(e, m, side="right") for e, m in zip(ends, marks, strict=True)]
    positions: NDArray[np.int64] = np.take_along_axis(order, np.array(places), axis=1)
    return np.sort(positions, axis=1)


def prices(logits: NDArray[np.float32], tokens: Tokens, ceiling: float) -> Floats:
    """Nats that n rows of logits, shape (n, classes), charge for n tokens; at most `ceiling`."""
    exact = logits.astype(np.float64)
    exact -= exact.max(axis=1, keepdims=True)
    totals = np.log(np.exp(exact).sum(axis=1))
    charged: Floats = totals - exact[np.arange(len(tokens)), tokens]
    return charged.clip(max=ceiling)


def single_fault(differences: Floats, audit: Audit) -> str:
    """Why one claim is dishonest by itself; empty if none is. Nats, any shape."""
    if np.abs(differences).max() > audit.hard_tolerance:
        return f"a claimed loss is not what the model charges blind; {REMEDY}"
    return ""


def mean_fault(corrections: Floats, audit: Audit) -> str:
    """Why the claims are dishonest together; empty if they are not. Nats, shape (n,), n > 1."""
    error = corrections.std(ddof=1) / np.sqrt(len(corrections))
    if abs(corrections.mean()) > max(audit.tolerance, audit.standard_errors * error):
        return f"the claimed losses are not, in the mean, what the model charges blind; {REMEDY}"
    return ""


def floored(audit: Audit, honest: Heard) -> Audit:
    """The audit with tolerances at least `baseline_factor` times what the baseline shows."""
    mean = abs(float(honest.corrections.mean()))
    largest = float(np.abs(honest.differences).max())
    return replace(
        audit,
        tolerance=max(audit.tolerance, audit.baseline_factor * mean),
        hard_tolerance=max(audit.hard_tolerance, audit.baseline_factor * largest),
    )
