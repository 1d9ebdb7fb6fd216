"""What is asked of the trials of a run, and of the comparisons that decisions rest on."""

import msgspec

from controller.decision import Look
from controller.decision.noise import Noise, pooled
from controller.ledger.rows import Trial, TrialRecord
from controller.ledger.store import Store
from sandbox.api import Comparison


class Trials(Store):
    """See the module."""

    def trials(self, experiment: int) -> list[Trial]:
        """All trials of an experiment's candidate, those as champion too."""
        return self._trials("trials", experiment=experiment)

    def unfinished_trial(self, asked_by: int) -> Trial | None:
        """The trial that an experiment waits for; there is at most one."""
        return next(iter(self._trials("unfinished_trial", asked_by=asked_by)), None)

    def top_ups(self, asked_by: int) -> list[Trial]:
        """The champion's trials that an experiment asked for, in order."""
        return self._trials("top_ups", asked_by=asked_by)

    def last_trial(self, experiment: int) -> int:
        """The number of the last trial of an experiment's candidate; 0: it has none."""
        row = self._one("last_trial", experiment=experiment)
        return 0 if row is None else int(row["number"])

    def champions(self, number: int) -> list[int]:
        """All that were champions when an experiment began, as it was then; the last one is."""
        return [row["number"] for row in self._all("champions", number=number)]

    def scored_before(self, number: int, experiment: int, most: int) -> list[Trial]:
        """The latest scored trials that a candidate had when experiment `number` began, in order.

        `most`: so many at most.
        """
        found = self._trials("scored_before", experiment=experiment, before=number, most=most)
        return found[::-1]

    def noise_floor(self) -> Noise | None:
        """Of the trials that the baseline began with; None: it had only one, or no score."""
        scores = [row["score"] for row in self._all("noise_floor")]
        return pooled([scores]) if len(scores) > 1 else None

    def looks(self, experiment: int) -> list[Look]:
        """The comparisons that decide on an experiment, in order."""
        return [
            Look(
                candidate_trials=row["candidate_trials"],
                champion_trials=row["champion_trials"],
                comparison=None
                if row["comparison"] is None
                else msgspec.json.decode(row["comparison"], type=Comparison),
            )
            for row in self._all("looks", experiment=experiment)
        ]

    def trial_records(self) -> list[TrialRecord]:
        """All trials in full, by experiment and number."""
        return [msgspec.convert(row, TrialRecord) for row in self._all("trial_records")]

    def kept_trials(self) -> list[str]:
        """Keys of the trials of all kept candidates."""
        return [row["key"] for row in self._all("kept_trials")]

    def _trials(self, name: str, **values: int) -> list[Trial]:
        return [msgspec.convert(row, Trial) for row in self._all(name, **values)]
