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

    def champions_trials(self, number: int) -> list[Trial]:
        """Scored trials of all that were champions when an experiment began, as it was then."""
        return self._trials("champions_trials", number=number)

    def noise_floor(self) -> Noise | None:
        """Of the trials that the baseline began with; None: it had only one, or no score."""
        found = self.trials(0)
        scores = [t.score for t in found if t.asked_by == 0 and t.score is not None]
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
