"""What a soak is told as: one structure, printed and written as JSON."""

from collections import Counter
from typing import Any

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.table import Table

from tests.soak.storm import Soaked
from tests.soak.verdict import FLAT_KIB, HELD, Growth, doubled, growth, held_more, lost


class Report(Struct, frozen=True, kw_only=True):
    """`counts` should be 0 each; `found` has what is behind those that are not."""

    seed: int
    trials: int
    seconds: float
    kills: dict[str, int]
    ended: dict[str, int]
    resumed: int
    lies: dict[str, int]
    outcomes: dict[str, int]
    tried_again: int
    """Trials that took more than one attempt."""
    counts: dict[str, int]
    found: dict[str, list[str]]
    resident_kib: dict[str, int]
    memory: dict[str, Growth]

    @property
    def clean(self) -> bool:
        """Whether nothing leaked, was lost or doubled, and memory is flat."""
        return not any(self.counts.values()) and all(grown.flat for grown in self.memory.values())

    def json(self) -> bytes:
        """As it is written."""
        body: dict[str, Any] = msgspec.to_builtins(self) | {"clean": self.clean}
        return msgspec.json.format(msgspec.json.encode(body), indent=2) + b"\n"


def of(soaked: Soaked, seed: int) -> Report:
    """The report of what was seen."""
    held = {name: held_more(*rests) for name, rests in soaked.rests.items()}
    found = {what: list(items) for what, items in soaked.left.items()}
    counts = {what: len(items) for what, items in found.items()}
    for what in HELD:
        counts[what] = counts.get(what, 0) + sum(more[what] for more in held.values())
        found[what] = found.get(what, []) + [
            f"{name}: {more[what]} more at rest" for name, more in held.items() if more[what]
        ]
    told = {"lost": lost(soaked.story), "doubled": doubled(soaked.story)}
    records = soaked.story.records.values()
    return Report(
        seed=seed,
        trials=soaked.story.wanted,
        seconds=soaked.seconds,
        kills=dict(soaked.kills),
        ended=dict(soaked.ended),
        resumed=soaked.resumed,
        lies=dict(soaked.lies),
        outcomes=dict(Counter(record["result"]["outcome"] for record in records)),
        tried_again=sum(record["result"]["attempts"] > 1 for record in records),
        counts=counts | {what: len(items) for what, items in told.items()},
        found={what: items for what, items in (found | told).items() if items},
        resident_kib={name: life[-1].resident_kib for name, life in soaked.life.items()},
        memory={name: growth(life) for name, life in soaked.life.items()},
    )


def tell(report: Report, console: Console) -> None:
    """Print it."""
    for name in ("kills", "ended", "lies", "outcomes"):
        counted = getattr(report, name)
        console.print(f"{name}: " + ", ".join(f"{count} {what}" for what, count in counted.items()))
    console.print(f"tried again: {report.tried_again}; resumed: {report.resumed}")
    table = Table("counted", "should be 0")
    for what, count in report.counts.items():
        table.add_row(what, str(count))
    console.print(table)
    for what, items in report.found.items():
        console.print(f"{what}:", *items[:20], sep="\n  ", markup=False)
    for name, grown in report.memory.items():
        console.print(
            f"memory of the {name}: {report.resident_kib[name] / 1024:.0f} MiB, grows by "
            f"{grown.slope:.2f} KiB a trial (95 % sure: {grown.low:.2f} to {grown.high:.2f}): "
            f"{'flat' if grown.flat else 'NOT FLAT'}, for it may grow by {FLAT_KIB:g}"
        )
    console.print(f"{report.seconds:.0f} s; {'clean' if report.clean else 'NOT CLEAN'}")
