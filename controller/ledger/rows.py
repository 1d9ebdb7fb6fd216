"""The ledger's rows as they are read, typed and frozen."""

import secrets
from enum import StrEnum
from functools import partial

from msgspec import Struct, field

from controller.decision import Decision
from sandbox.api import Outcome, Stage, TaskSettings

DETHRONED = "dethroned"
"""Said of what was kept, and was caught by an audit later; in the ledger its decision stays."""


class State(StrEnum):
    """How far an experiment has come. Each change is committed before the next step begins.

    proposed   candidate and hypothesis are stored
    running    the trial's key is stored; the sandbox may have been asked
    measured   the trial's result is stored
    decided    the decision and the text of the commit are stored
    recorded   the commit is in the repository
    """

    proposed = "proposed"
    running = "running"
    measured = "measured"
    decided = "decided"
    recorded = "recorded"


class Halt(StrEnum):
    """Why a session of a run ended."""

    experiments = "experiments"
    hours = "hours"
    plateau = "plateau"
    dollars = "dollars"
    tokens = "tokens"
    calls = "calls"
    day = "day"
    """A limit for one day: it goes on by itself on the next one."""
    provider = "provider"
    """The model's provider does not serve: it is tried again by itself."""
    paused = "paused"
    stopped = "stopped"
    disk = "disk"
    exhausted = "exhausted"
    baseline = "baseline"
    errors = "errors"
    dishonest = "dishonest"
    refusals = "refusals"
    failed = "failed"
    interrupted = "interrupted"


class Wanted(StrEnum):
    """What a person wants of a run."""

    running = "running"
    paused = "paused"
    """The experiment at hand is finished; then the process waits."""
    stopped = "stopped"
    """The trial at hand is cancelled; it begins anew when the run goes on."""


class RunLimits(Struct, frozen=True, kw_only=True):
    """When a run is to halt; None: not by this."""

    most_experiments: int | None = None
    """After the baseline."""
    most_hours: float | None = None
    plateau: int | None = None
    """Experiments in a row that were not kept."""
    most_dollars: float | None = None
    """For models, what is reserved for a call that is not over included; so tokens and calls."""
    most_tokens: int | None = None
    most_calls: int | None = None
    most_dollars_a_day: float | None = None
    """A day is one of UTC."""
    most_tokens_a_day: int | None = None
    most_calls_a_day: int | None = None
    most_hours_a_day: float | None = None


class NewRun(Struct, frozen=True, kw_only=True):
    """What a run is started with; it stays so, but for the limits."""

    id: str
    """Random; trial keys begin with it, so that no two runs share one."""
    task_name: str
    task_hash: str
    program: str
    prepare: str
    dockerfile: str = ""
    scorer_dockerfile: str = ""
    settings: TaskSettings
    agent: str
    agent_source: str | None
    """Where a replay takes its candidates from."""
    control: float | None = None
    """Share of the experiments that the plain search proposes beside the agent."""
    limits: RunLimits
    salt: str = field(default_factory=partial(secrets.token_hex, 16))
    """Of the noise in what agents are told of scores; for no agent."""


class RunRow(NewRun, frozen=True, kw_only=True):
    created_at: str
    """UTC, ISO 8601, as all times of the ledger."""


class Accepted(Struct, frozen=True, kw_only=True):
    """A finding of the doctor that a person ran in spite of."""

    finding: str
    """The check's name."""
    detail: str
    """What was found."""
    accepted_at: str


class Trial(Struct, frozen=True, kw_only=True):
    """One trial of an experiment's candidate."""

    key: str
    experiment: int
    number: int
    """From 1; the first screens, the others confirm, or are compared with later candidates."""
    asked_by: int
    """The experiment in whose course it was run."""
    outcome: Outcome | None
    """None: it is not over."""
    score: float | None
    vault_score: float | None
    """For the operator, and of kept candidates alone."""
    seconds: float | None
    """Of the trainer."""


class Experiment(Struct, frozen=True, kw_only=True):
    """An experiment, with the trial that tells what became of it. Number 0 is the baseline."""

    number: int
    state: State
    agent: str
    hypothesis: str
    candidate_hash: str
    parent: int | None
    """The champion when it was proposed."""
    proposed_at: str
    decision: Decision | None
    decision_reason: str | None
    gain: float | None
    standard_error: float | None
    low: float | None = None
    """Of the gain's 95 % interval, if it was measured by confirming trials."""
    high: float | None = None
    message: str | None
    """Of its commit."""
    decided_at: str | None
    commit_id: str | None
    trial_key: str | None
    outcome: Outcome | None
    score: float | None
    """Mean of its confirming trials, of all for the baseline, or of the only trial."""
    rehearsal_score: float | None
    trial_reason: str | None
    log_bytes: int | None
    seconds: float | None
    """Of the trainer."""
    wall_seconds: float | None
    peak_memory_bytes: int | None
    device: str | None
    trials: int = 0
    """Of its candidate, finished; as champion it has more and more."""
    dethroned_by: int | None = None
    """It was kept, and later dishonest in a trial that this experiment asked for."""

    @property
    def is_kept(self) -> bool:
        """Whether it was kept, and is not dethroned."""
        return self.decision is Decision.kept and self.dethroned_by is None

    @property
    def verdict(self) -> str:
        """What became of it, in a word: the decision, `dethroned`, or how far it has come."""
        if self.dethroned_by is not None:
            return DETHRONED
        return self.decision or self.state


class Scored(Struct, frozen=True, kw_only=True):
    """An experiment's score, as in `Experiment`."""

    number: int
    score: float
    kept: bool
    """And not dethroned."""


class TrialRecord(Struct, frozen=True, kw_only=True):
    """A trial as the sandbox told of it; without an outcome it is not finished."""

    key: str
    experiment: int
    number: int
    """From 1, within its experiment."""
    asked_by: int
    """The experiment in whose course it was run."""
    outcome: Outcome | None
    score: float | None
    rehearsal_score: float | None
    reason: str | None
    log: str | None
    seconds: float | None
    wall_seconds: float | None
    peak_memory_bytes: int | None
    examples: int | None
    device: str | None
    attempts: int | None


class Refusal(Struct, frozen=True, kw_only=True):
    """A proposal that was no candidate."""

    number: int
    experiment: int
    """The number it would have had."""
    agent: str
    hypothesis: str
    reason: str
    refused_at: str


class Now(Struct, frozen=True, kw_only=True):
    """What the process that drives the run is doing."""

    experiment: int
    stage: Stage
    detail: str
    seconds: float | None
    """How long the stage lasts at most, where that is known."""
    since: str
    """When the stage began."""


class Session(Struct, frozen=True, kw_only=True):
    """A stretch of time in which a process drove the run."""

    number: int
    started_at: str
    seen_at: str
    """When the ledger last changed in it."""
    halt: Halt | None
    detail: str | None


class Tally(Struct, frozen=True, kw_only=True):
    """Counts of a run; the baseline is in none but `dishonest` and `errors_in_a_row`."""

    experiments: int
    kept: int
    """Those that were dethroned not included."""
    dethroned: int
    since_kept: int
    """Recorded after the last one that was kept."""
    refused: int
    dishonest: int
    errors_in_a_row: int
    refusals_in_a_row: int
    seconds: float
    """Of all sessions."""
    seconds_today: float


class Model(Struct, frozen=True, kw_only=True):
    """A model of a run, and what it costs."""

    name: str
    """As litellm has it: `provider/name`."""
    endpoint: str | None
    """Of an OpenAI-compatible server; None: the provider's own."""
    price_in: float
    """Dollars for a million tokens of a prompt."""
    price_out: float
    reply_tokens: int
    """Most of one reply."""


class Cost(Struct, frozen=True, kw_only=True):
    """What one call costs, or can cost."""

    prompt_tokens: int
    completion_tokens: int
    nanodollars: int
    """Thousand millionths of a dollar, so that sums are exact."""


class Call(Cost, frozen=True, kw_only=True):
    """One call of a model. Not settled: it is going on, or the process died in it."""

    number: int
    proposal: int
    """Of the run's models, from 0."""
    champion: int
    turn: int
    model: str
    reserved_at: str
    settled_at: str | None
    ended: str | None
    """`reply`, `stale` for a reply that came too late for its champion, or what went wrong."""
    reply: str | None
    """Untrusted text."""


class Spending(Struct, frozen=True, kw_only=True):
    """What models have cost, or may have."""

    calls: int
    tokens: int
    nanodollars: int

    @property
    def dollars(self) -> float:
        """The same in dollars."""
        return self.nanodollars / 1e9
