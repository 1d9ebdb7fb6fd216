"""The whole contract between controller and sandbox.

The client states intent (a task by its hash, a candidate's text); the sandbox answers with
outcomes and means. Container options, seeds, paths and per-example values are in no message.
`Sandbox` is implemented three times: by `sandbox.service` (the real one), `sandbox.client`
(the same over a unix socket) and `sandbox.fake.sandbox` (no engine; for tests of the loop).

On the socket: HTTP with JSON bodies of these types. Calls that take long answer with one JSON
document a line: any number of `Progress`, then one `Finished` or one `Failed`.
"""

import hashlib
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Literal, Protocol

from msgspec import Struct

AGENT_IMAGE = "sealed-agent"
"""The image of containers that run agent code, unless a task names its own."""
SCORER_IMAGE = "sealed-scorer"
"""The image of scorer, holder and prepare role, unless a task names its own."""
CANDIDATE_BYTES = 64 * 1024
"""A candidate's largest size in UTF-8; with the next one, so that it cannot carry the data."""
CANDIDATE_COMPRESSED_BYTES = 16 * 1024
"""A candidate's largest size after zlib."""


class Goal(StrEnum):
    """Which way the score should go."""

    minimize = "minimize"
    maximize = "maximize"


class Feedback(StrEnum):
    """What an agent is told of a score; see `controller/visible.py`."""

    rounded = "rounded"
    ladder = "ladder"
    exact = "exact"


class Keep(StrEnum):
    """When a candidate is kept; see `controller/decision/`."""

    confirmed = "confirmed"
    margin = "margin"
    naive = "naive"


class Outcome(StrEnum):
    """How a trial ended. All but `scored` and `error` are the candidate's doing."""

    scored = "scored"
    crash = "crash"
    timeout = "timeout"
    over_memory = "over_memory"
    over_output = "over_output"
    invalid = "invalid"
    dishonest = "dishonest"
    error = "error"


class Stage(StrEnum):
    """Where a long call is."""

    waiting = "waiting"
    building = "building"
    training = "training"
    rehearsing = "rehearsing"
    scoring = "scoring"
    preparing = "preparing"
    hashing = "hashing"
    examining = "examining"


class TaskSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The front matter of `program.md`. Each field's line here is its documentation."""

    metric: str
    """The score's unit, shown everywhere, such as `bits per byte`."""
    goal: Goal
    """`minimize` or `maximize`."""
    budget_seconds: float
    """Wall-clock seconds that `train` gets; 0.2 to 86400."""
    load_seconds: float = 10.0
    """Wall-clock seconds that `load` gets in each predictor; 0.1 to 600."""
    scoring_seconds: float = 60.0
    """Seconds that predictors may spend on the answers of one scoring; 0.1 to 3600."""
    memory_mib: int = 2048
    """Memory of each container that runs agent code, its /tmp and /dev/shm included; from 64."""
    cpus: float = 1.0
    """CPUs of each container of a trial; 0.1 up to what the engine has."""
    gpus: int | Literal["auto"] = 0
    """0, 1, or `auto`: one if the engine has any, else the CPU."""
    artifact_mib: int = 64
    """Largest size of what `train` leaves behind; 1 to 65536."""
    image: str = AGENT_IMAGE
    """The agent image, or your own that is built FROM it."""
    scorer_image: str = SCORER_IMAGE
    """The image of `score` and `prepare`, or your own that is built FROM it."""
    feedback: Feedback = Feedback.rounded
    """What the agent is told of scores: `rounded`, `ladder` or `exact`."""
    keep: Keep = Keep.confirmed
    """When a candidate is kept: `confirmed`, `margin` or `naive`."""
    min_gain: float = 0.0
    """The least gain that is kept, in the metric's unit; under `margin` it alone decides."""
    false_keeps_per_100: float = 0.05
    """How many of 100 candidates that change nothing `confirmed` may keep; 0.0001 to 10."""
    noise_seeds: int = 5
    """Trials of the first `train.py` that `confirmed` takes the noise from; 5 to 100."""


class TaskFiles(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A task folder as it is sent to the sandbox."""

    name: str
    program: str
    train: str
    prepare: str
    dockerfile: str = ""
    """Of the task's own agent image; empty: it has none."""
    scorer_dockerfile: str = ""
    """Of the task's own scorer image, `Dockerfile.scorer`; empty: it has none."""


def task_hash(files: TaskFiles) -> str:
    """SHA-256 over the three files, and the Dockerfiles if there are any, each with its length."""
    digest = hashlib.sha256()
    own = [files.dockerfile] if files.dockerfile or files.scorer_dockerfile else []
    own += [files.scorer_dockerfile] if files.scorer_dockerfile else []
    for text in (files.program, files.train, files.prepare, *own):
        data = text.encode()
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()


class Task(Struct, frozen=True, kw_only=True):
    """A prepared task. `hash` is the SHA-256 of its files, and its name in every call."""

    hash: str
    name: str
    settings: TaskSettings
    prepared_at: str
    """UTC, ISO 8601."""
    data_bytes: int
    files: int
    data: str = ""
    """SHA-256 of names, sizes and hashes of all that `prepare` wrote."""


class TrialRequest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Run one candidate once, with a fresh secret seed.

    `key` is chosen by the client and names the trial for ever: the same key again returns the
    stored result, or joins the trial that is running, and never runs twice.
    """

    key: str
    task: str
    candidate: str
    vault: bool = False
    """Score the vault too, for the operator; no agent may hear of it."""
    run: str = ""
    """The run in whose chain the trial gets a receipt; empty: it gets none."""
    accepted: tuple[str, ...] = ()
    """Findings of the doctor that the run goes on in spite of: for the receipt."""


class TrialResult(Struct, frozen=True, kw_only=True):
    """What one trial came to. `score` is there exactly when `outcome` is `scored`."""

    key: str
    task: str
    outcome: Outcome
    score: float | None
    """Mean over the held-out examples, in the metric's unit."""
    rehearsal_score: float | None
    """The same on the public rehearsal split."""
    vault_score: float | None = None
    """The same on the vault, if that was asked for and the candidate did not fail there."""
    reason: str
    """Why not scored: from public phases in full, from sealed phases only what happened."""
    log: str
    """What the candidate wrote in training and rehearsal: cleaned, head and tail kept."""
    log_bytes: int
    """How much it wrote in all."""
    seconds: float
    """Seconds of the trainer, from the candidate's release to its end."""
    wall_seconds: float
    """Seconds of the whole trial, waiting for a slot not included."""
    stage_seconds: dict[str, float] = {}
    """Seconds of each stage, of the sealed ones too: for the operator alone."""
    peak_memory_bytes: int
    """Highest memory that was seen in the trainer: a lower bound of the peak."""
    examples: int
    """How many held-out examples the score is the mean of."""
    device: str
    """`cpu`, or the GPU's UUID."""
    attempts: int
    """1, or more after `error`s that were retried with the same seed."""


class SliceDifference(Struct, frozen=True, kw_only=True):
    """The same as `Comparison`, over the examples of one slice."""

    difference: float
    standard_error: float


class Comparison(Struct, frozen=True, kw_only=True):
    """Mean of the first trials minus mean of the second, paired example by example."""

    difference: float
    standard_error: float
    """Of `difference`, from the paired values and their blocks; 0 for a single value."""
    examples: int
    slices: dict[str, SliceDifference] = {}
    """By the slice's name, where the task's scores have slices."""


class Progress(Struct, frozen=True, kw_only=True, tag="progress"):
    """One step of a long call."""

    stage: Stage
    seconds: float | None = None
    """How long the stage lasts at most, where that is known."""
    detail: str = ""


class Verdict(StrEnum):
    """What the doctor found."""

    passed = "PASS"
    warning = "WARN"
    failed = "FAIL"
    not_applicable = "N/A"


class Advisory(StrEnum):
    """The doctor's checks of what is around the containers. A person may accept their findings."""

    engine_version = "engine_version"
    containerd_version = "containerd_version"
    runc_version = "runc_version"
    toolkit_version = "toolkit_version"
    desktop_version = "desktop_version"
    desktop_memory = "desktop_memory"
    lsm = "lsm"
    cgroup = "cgroup"
    user_namespace = "user_namespace"
    tmpfs_inodes = "tmpfs_inodes"
    page_cache = "page_cache"


class Check(Struct, frozen=True, kw_only=True):
    """One finding of the doctor."""

    name: str
    """Of an advisory check: one of `Advisory`."""
    verdict: Verdict
    """An advisory check warns at most; what that is for a run, the controller decides."""
    measured: bool
    """It tries a promise of the policy in throw-away containers, and can't be accepted."""
    detail: str
    next_step: str = ""


class Info(Struct, frozen=True, kw_only=True):
    """What stands behind the socket."""

    version: str
    instance: str
    """Random name of this sandbox's state; the label of everything it creates."""
    engine: str
    runtime: str
    cpus: int
    memory_bytes: int
    gpus: list[str]
    images: dict[str, str]
    """Role images by tag, with the id in use."""
    public_key: str
    """Of receipts: PEM."""


class Chain(Struct, frozen=True, kw_only=True):
    """Receipts of a run, as `statements` has them; they are for no agent."""

    public_key: str
    """PEM."""
    receipts: list[str]
    """One line of JSON each."""


class Reaped(Struct, frozen=True, kw_only=True):
    """What the reaper removed."""

    containers: int
    volumes: int


class Failed(Struct, frozen=True, kw_only=True, tag="failed"):
    """The last line of a long call that did not work, and the body of every HTTP error."""

    kind: str
    message: str
    next_step: str


class FinishedTask(Struct, frozen=True, kw_only=True, tag="task"):
    task: Task


class FinishedTrial(Struct, frozen=True, kw_only=True, tag="trial"):
    result: TrialResult


Line = Progress | Failed | FinishedTask | FinishedTrial
"""One line of a long call."""

OnProgress = Callable[[Progress], None]


def no_progress(_: Progress) -> None:
    """For callers that do not watch."""


class Sandbox(Protocol):
    """Trials and comparisons, nothing else. Every method raises only `SandboxError`s."""

    def info(self) -> Info:
        """What engine, images and limits there are."""
        ...

    def prepare(self, files: TaskFiles, on_progress: OnProgress = no_progress) -> Task:
        """Check a task, make its data once, train its baseline; again: only what is missing.

        Raises `BadTask` with the reason and the next step.
        """
        ...

    def tasks(self) -> list[Task]:
        """The prepared tasks, newest first."""
        ...

    def verify(self, task: str, on_progress: OnProgress = no_progress) -> Task:
        """Hash all data of a task in full. Raises `UnknownTask`, `DataAltered`."""
        ...

    def survey(self, task: str) -> list[Check]:
        """Look for examples that are in two splits, or in the agent image. Raises as `verify`."""
        ...

    def forget(self, task: str) -> None:
        """Remove a task with its data and baseline; its trials' results stay."""
        ...

    def run(self, request: TrialRequest, on_progress: OnProgress = no_progress) -> TrialResult:
        """Run one trial, or return what its key has come to."""
        ...

    def result(self, key: str) -> TrialResult:
        """A finished trial. Raises `UnknownTrial`."""
        ...

    def cancel(self, key: str) -> None:
        """Stop a running trial; its `run` raises `Cancelled`, and its key is free again."""
        ...

    def compare(self, first: Sequence[str], second: Sequence[str], run: str = "") -> Comparison:
        """Compare scored trials of one task by their keys, example by example.

        With a `run` there is a receipt of it, also of `BadRequest`: that it can't be made.
        """
        ...

    def receipts(self, run: str, after: int) -> Chain:
        """The receipts of a run, in order, without the first `after`."""
        ...

    def close_run(self, run: str, kept: Sequence[str]) -> None:
        """Sign that the chain ends, if nothing follows; reveal seeds, and `kept` ones' vaults."""
        ...

    def fingerprint(self, candidate: str) -> str:
        """Digest of a candidate as 64 hexadecimal digits; comments and layout don't change it.

        It runs nothing. A text that is no Python has that of its bytes. Raises `BadCandidate`.
        """
        ...

    def doctor(self) -> list[Check]:
        """Try every promise of the policy, and look at what is around the containers."""
        ...

    def reap(self) -> Reaped:
        """Remove what earlier processes of this instance left behind."""
        ...
