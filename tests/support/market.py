"""Made-up days in the place of the download: no test but one needs a network for tasks/trading."""

import csv
import gzip
import inspect
import io
import zipfile
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from tests.support.tasks import ROOT

TRADING = ROOT / "tasks" / "trading"
PREPARE = (TRADING / "prepare.py").read_text()


def archive(days: int, ordinary: float, drift: tuple[float, float], reversal: float) -> bytes:
    """A file like that of the package, with days that a salt of their own has drawn.

    ordinary    standard deviation of a day's move, as logarithm.
    drift       its mean, in ordinary days: in the first half of all days, and in the second.
    reversal    what of a day's move is taken back the next day, in the mean.

    The indices share half of their variance. Prices of a day are a random walk of 16 steps.
    """
    rng = np.random.default_rng(0)
    surprises = np.sqrt(0.5) * (rng.normal(size=(days, 2)) + rng.normal(size=(days, 1)))
    moves = np.zeros((days, 2))
    for day in range(1, days):
        moves[day] = drift[2 * day // days] + surprises[day] - reversal * moves[day - 1]
    walks = np.cumsum(rng.normal(0, 0.25, (days, 2, 16)), axis=2)
    walks += (moves - walks[:, :, -1])[:, :, None] * np.arange(1, 17) / 16
    before = np.cumsum(moves, axis=0) - moves
    prices = 1000 * np.exp(ordinary * (before[:, :, None] + walks))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as files:
        for number, index in enumerate(("sp500", "nasdaq")):
            table = io.StringIO()
            rows = csv.writer(table)
            rows.writerow(("Date", "Open", "High", "Low", "Close", "Adj Close", "Volume"))
            for day, walk in enumerate(prices[:, number]):
                low, high, close = walk.min(), walk.max(), walk[-1]
                rows.writerow((day, walk[0], high, low, close, close, 1))
            data = gzip.compress(table.getvalue().encode(), mtime=0)
            files.writestr(f"arch/data/{index}/{index}.csv.gz", data)
    return buffer.getvalue()


def made_up(
    days: int,
    ordinary: float = 0.01,
    drift: tuple[float, float] = (0, 0),
    reversal: float = 0,
    changes: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """The text of `prepare.py` with such days, and what stands once in it changed into other."""
    text = PREPARE
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return (
        f"{text}\n\n{inspect.getsource(archive)}\n\ndef download() -> bytes:\n"
        f"    return archive({days}, {ordinary}, {drift}, {reversal})\n"
    )
