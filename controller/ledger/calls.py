"""What a run's models were asked, what they replied, and what it cost.

A call is reserved before it is made, at the most that it can cost, and settled when it is over. So
a sum over all rows is never less than what was spent, whenever the process dies, and a reply that
was stored is never paid for again.
"""

from collections.abc import Iterable

import msgspec

from controller.ledger.rows import Call, Cost, Model, Spending
from controller.ledger.store import Store


class Calls(Store):
    """See the module."""

    def models(self) -> list[Model]:
        """The models of this run, in the order in which they were given."""
        return [msgspec.convert(row, Model) for row in self._all("models")]

    def calls(self, proposal: int | None = None) -> list[Call]:
        """Calls in their order, of one proposal or all."""
        return [msgspec.convert(row, Call) for row in self._all("calls", proposal=proposal)]

    def spending(self, *, today: bool = False) -> Spending:
        """What the calls cost: of the run, or of this day (UTC)."""
        since = self._today() if today else ""
        return msgspec.convert(self._one("spending", since=since), Spending)

    def spent(self) -> dict[str, float]:
        """Dollars by agent, `llm:MODEL`; no entry for one that was never asked."""
        rows = self._all("spending_of_models")
        return {f"llm:{row['model']}": row["nanodollars"] / 1e9 for row in rows}

    def cost_of(self, experiment: int) -> Spending:
        """What the calls for an experiment's candidate cost; nothing where no model proposed it."""
        return msgspec.convert(self._one("cost_of_experiment", number=experiment), Spending)

    def failures_in_a_row(self) -> int:
        """Calls since the last one that was answered."""
        row = self._one("failures_in_a_row")
        return 0 if row is None else int(row["count"])

    def proposals_of_models(self) -> int:
        """How many proposals of models became an experiment or a refusal."""
        row = self._one("proposals_of_models")
        return 0 if row is None else int(row["count"])

    def set_models(self, models: Iterable[Model]) -> None:
        """The run asks these from here on."""
        with self._change():
            self._do("clear_models")
            for model in models:
                self._write("insert_model", **msgspec.structs.asdict(model))

    def reserve(self, *, proposal: int, champion: int, turn: int, model: str, most: Cost) -> int:
        """Store a call that is about to be made, at the most that it can cost; its number."""
        with self._change():
            self._write(
                "insert_call",
                proposal=proposal,
                champion=champion,
                turn=turn,
                model=model,
                **msgspec.structs.asdict(most),
            )
            return self._last_row()

    def settle(self, number: int, cost: Cost, *, ended: str, reply: str | None) -> None:
        """Store how a call ended and what it cost."""
        with self._change():
            self._write(
                "settle_call",
                number=number,
                ended=ended,
                reply=reply,
                **msgspec.structs.asdict(cost),
            )

    def mark_stale(self, number: int) -> None:
        """A reply came too late: its champion is no more. What it cost stays counted."""
        with self._change():
            self._write("mark_stale", number=number)
