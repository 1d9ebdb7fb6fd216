"""What a soak came to: pure functions of what was seen; every count should be 0, memory flat."""

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from msgspec import Struct
from scipy import stats

from controller.decision import Decision
from controller.ledger import Experiment, State

FLAT_KIB = 8.0
"""What resident memory may grow by a trial: 80 MiB in ten thousand."""
WARM_KIB = 4096
"""What it may grow by in all, while a service that was just started fills its pools and caches."""
_BLOCKS = 12
"""Memory moves in steps: the slope is that of so many medians, which are hardly dependent."""
_LEVEL = 0.95


HELD = {"containers": 0, "volumes": 0, "descriptors": 10, "threads": 10}
"""What a service may hold more later: pools of connections and threads fill to their bound."""


class Sample(Struct, frozen=True, kw_only=True):
    """A service when an experiment had just been recorded, or at rest."""

    trials: int
    resident_kib: int
    descriptors: int
    threads: int
    containers: int = 0
    """On the engine; the sandbox's, as the volumes."""
    volumes: int = 0


class Growth(Struct, frozen=True, kw_only=True):
    """Of resident memory, in KiB a trial, with the ends of its 95 % confidence interval."""

    slope: float
    low: float
    high: float
    trials: int
    """That it was seen over."""

    @property
    def flat(self) -> bool:
        """Not flat is what surely grows by more than it may."""
        return self.low <= FLAT_KIB or self.low * self.trials <= WARM_KIB


class Story(Struct, frozen=True, kw_only=True):
    """What is told of one run at its end."""

    wanted: int
    """Experiments after the baseline."""
    experiments: Sequence[Experiment]
    """The ledger's."""
    records: Mapping[str, Any]
    """The sandbox's, by trial key."""
    commits: Mapping[int, str]
    """Git's, by experiment."""
    main: str
    seeds: Mapping[str, frozenset[int]]
    """All that were seen of a trial, while it was under way."""


def growth(samples: Sequence[Sample]) -> Growth:
    """How memory grows over samples of one life of a service; takes a dozen of them or more."""
    size = max(1, len(samples) // _BLOCKS)
    blocks = [samples[n : n + size] for n in range(0, len(samples) - size + 1, size)]
    x = [median(sample.trials for sample in block) for block in blocks]
    y = [median(sample.resident_kib for sample in block) for block in blocks]
    line = stats.linregress(x, y)
    slope = float(line.slope)
    width = float(stats.t.ppf((1 + _LEVEL) / 2, len(blocks) - 2) * line.stderr)
    trials = samples[-1].trials - samples[0].trials
    return Growth(slope=slope, low=slope - width, high=slope + width, trials=trials)


def held_more(before: Sample, after: Sample) -> dict[str, int]:
    """Of what a service held more, at rest, after than before, and how much more."""
    more = {name: getattr(after, name) - getattr(before, name) for name in HELD}
    return {name: count if count > HELD[name] else 0 for name, count in more.items()}


def lost(story: Story) -> list[str]:
    """Experiments that one of ledger, git and sandbox does not have as the others do."""
    found = []
    by_number = {experiment.number: experiment for experiment in story.experiments}
    for number in range(story.wanted + 1):
        experiment = by_number.get(number)
        if experiment is None or experiment.state is not State.recorded:
            found.append(f"experiment {number} is not recorded")
            continue
        record = story.records.get(str(experiment.trial_key))
        if record is None:
            found.append(f"experiment {number} has no result in the sandbox")
        elif (record["result"]["score"], record["candidate"]) != (
            experiment.score,
            experiment.candidate_hash,
        ):
            found.append(f"experiment {number} has another result in the sandbox")
        if story.commits.get(number) != experiment.commit_id:
            found.append(f"experiment {number} is not in git")
    kept = [e for e in story.experiments if e.decision is Decision.kept]
    if not kept or story.main != kept[-1].commit_id:
        found.append("main is not the champion")
    return found


def doubled(story: Story) -> list[str]:
    """What was done a second time: an experiment, a candidate, the draw of a seed."""
    keys = {str(experiment.trial_key) for experiment in story.experiments}
    numbers = {experiment.number for experiment in story.experiments}
    texts = Counter(record["candidate"] for record in story.records.values())
    seeds = {
        key: story.seeds.get(key, frozenset()) | {record["seed"]}
        for key, record in story.records.items()
    }
    return [
        *(f"experiment {number} is one too many" for number in numbers if number > story.wanted),
        *(f"trial {key} is of no experiment" for key in story.records if key not in keys),
        *(f"candidate {text[:12]} has {n} trials" for text, n in texts.items() if n > 1),
        *(f"trial {key} had {len(drawn)} seeds" for key, drawn in seeds.items() if len(drawn) > 1),
        *(f"commit of {number} is of no experiment" for number in story.commits.keys() - numbers),
    ]
