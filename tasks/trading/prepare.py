"""Two stock indices, day by day: the data and the score. No agent changes this file.

Each split is one file, `moves.npy`, float64 of shape (days, 2, 3): for S&P 500 and NASDAQ, how far
the day's high, low and close are from the close before, as logarithms of ratios. Splits are runs of
days, in the order train, rehearsal, held-out, vault, with gaps between them.

**This history is public.** A model may know it by heart, and all of it fits into a candidate: a bit
a day is 600 bytes. So `rng` hides the place: where each split begins, a scale for each index, and a
small error in every number. What that buys: no day is found by its date, its number, its exact
figures or how calm it is. What it does not buy: whoever holds the whole history beside a few weeks
of questions finds the place by correlation, and whoever remembers that a crash came
after so many days needs no place at all. Read the champion, or bring days that no model has seen.
"""

import csv
import gzip
import io
import zipfile
from pathlib import Path

import numpy as np

from sealed_task import (
    Array,
    Folders,
    Predictors,
    Score,
    package_file,
    ratio_values,
    spread_values,
)

INDICES = ("sp500", "nasdaq")
HIGH, LOW, CLOSE = range(3)

FILE = "arch-4.8.0-cp36-cp36m-win32.whl"
"""The smallest file of the package that has the data; it is read, and nothing of it runs."""
SHA256 = "064673a236d9d6db4b6e6e86938d677ad4d9e4891c67c6bb53eabf013fb5c0ea"

SHARES = {"train": 0.22, "rehearsal": 0.09, "held_out": 0.32, "vault": 0.32}
"""Of all days, in the order of time. The rest lies before, between and after, in secret parts."""
LEAST_GAP = 5
"""Days between two splits."""
SCALES = (0.8, 1.25)
"""What the moves of an index are multiplied by: one secret number for each index and split."""
ERROR = 5e-4
"""Standard deviation of what is added to every number, about a twentieth of an ordinary day."""

COST = 2e-4
"""What buying or selling costs, as a part of what is bought or sold."""
DAYS_A_YEAR = 252
MONTH = 21
"""Days of a block: calm and wild days come in runs."""
LEAST_RISK = 1e-9
"""Added to the spread of the daily returns, so that the ratio of who never trades is 0."""


def prepare(to: Folders, rng: np.random.Generator) -> None:
    """Download, cut as `rng` says, and disguise each part."""
    prices = read(download())
    moves = np.log(prices[1:] / prices[:-1, :, CLOSE:])
    for name, days in cut(len(moves), rng).items():
        disguised = disguise(moves[days], rng)
        np.save(getattr(to, name) / "moves.npy", disguised, allow_pickle=False)


def download() -> bytes:
    """A file of the package `arch` from PyPI or a mirror of it."""
    return package_file("arch", FILE, SHA256)


def read(archive: bytes) -> np.ndarray:
    """High, low and close of each day of both indices, shape (days, 2, 3)."""
    tables = []
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        for index in INDICES:
            text = gzip.decompress(files.read(f"arch/data/{index}/{index}.csv.gz")).decode("ascii")
            rows = csv.DictReader(io.StringIO(text))
            tables.append([(r["Date"], r["High"], r["Low"], r["Close"]) for r in rows])
    first, second = np.array(tables)
    assert np.array_equal(first[:, 0], second[:, 0]), "the indices have different days"
    return np.stack((first, second), axis=1)[:, :, 1:].astype(np.float64)


def cut(days: int, rng: np.random.Generator) -> dict[str, slice]:
    """Which days each split has, in order; what is left over is dealt to the gaps."""
    lengths = [round(share * days) for share in SHARES.values()]
    spare = days - sum(lengths) - LEAST_GAP * (len(lengths) - 1)
    gaps = np.diff(np.sort(rng.integers(0, spare + 1, len(lengths))), prepend=0)
    gaps[1:] += LEAST_GAP
    ends = np.cumsum(gaps + lengths)
    return {name: slice(end - n, end) for name, end, n in zip(SHARES, ends, lengths)}


def disguise(moves: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The moves on another scale and a little wrong; a high stays a high, and a low a low.

    Nothing of it is measured on the moves, for what is measured on a period knows its end.
    """
    scale = rng.uniform(*SCALES, (len(INDICES), 1))
    disguised = scale * moves + rng.normal(0, ERROR, moves.shape)
    disguised[:, :, HIGH] = disguised.max(axis=2)
    disguised[:, :, LOW] = disguised.min(axis=2)
    return disguised


# ---- the score --------------------------------------------------------------------------------


def score(data: Path, predictors: Predictors) -> Score:
    """The yearly Sharpe ratio after costs, as one value a day.

    A question is one day's moves and nothing else. The position that is the answer earns what the
    next day brings, and that day does not exist for the predictor before the answer is given.
    """
    moves = np.load(data / "moves.npy", allow_pickle=False)
    positions = np.empty((len(moves) - 1, len(INDICES)))
    with predictors.open() as predictor:
        for day, today in enumerate(moves[:-1]):
            positions[day] = predictor.ask(today, Array("f8", (len(INDICES),), -1, 1))
    closes = moves[1:, :, CLOSE]
    returns = earned(positions, closes)
    sharpe = ratio_values(returns, LEAST_RISK + spread_values(returns))
    return Score(
        np.sqrt(DAYS_A_YEAR) * sharpe,
        block=np.arange(len(returns)) // MONTH,
        slices={"drawdown": drawdown(closes)},
    )


def earned(positions: np.ndarray, closes: np.ndarray) -> np.ndarray:
    """What each day brings after costs, shape (days,), as a part of the capital.

    positions   from -1 to 1, shape (days, 2): held until the close of that day.
    closes      moves from close to close, shape (days, 2).

    Half of the capital is for each index. It begins and ends without any.
    """
    traded = np.abs(np.diff(positions, axis=0, prepend=0, append=0))
    costs = COST * traded[:-1]
    costs[-1] += COST * traded[-1]
    return (positions * np.expm1(closes) - costs).mean(axis=1)


def drawdown(closes: np.ndarray) -> np.ndarray:
    """The quarter of days that begin farthest below the peak of who bought both and held them.

    The data alone decides, so these days are the same for every candidate.
    """
    levels = np.cumsum(closes.mean(axis=1))
    before = np.concatenate(([0], levels[:-1]))
    below = np.maximum.accumulate(before) - before
    return below >= np.quantile(below, 0.75)
