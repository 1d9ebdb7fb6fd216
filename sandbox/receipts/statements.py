"""What receipts say: the second half of the contract, beside `api`.

A receipt is one line of JSON: a DSSE envelope (Ed25519) around an in-toto statement v1. Receipts of
a run are a chain: each has a number, from 0, and the SHA-256 of the line before it. There is one
for each trial, one for each comparison that a decision rests on, and one that closes a session.
`sandbox.receipts.chains` signs them; whoever has the public key can read and check them.

What must stay secret for a while is committed to: the SHA-256 of `NONCE:VALUE` in ASCII, which an
`Opening` in a closing receipt reveals (`printf NONCE:VALUE | sha256sum`).
"""

import hashlib

import msgspec
from msgspec import Struct

from sandbox.api import Comparison, Outcome, TaskSettings

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
_KIND = "urn:sealed-autoresearch:receipt:"


class Predicate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every receipt has: its place in a chain."""

    run: str
    number: int
    """Counts from 0, whatever the receipts are of."""
    previous: str
    """SHA-256 of the line before it; of the first one: empty."""


class TrialPredicate(Predicate, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One trial. Hashes are SHA-256, in hexadecimal."""

    key: str
    """The trial's: run, experiment and trial number, with dashes between them."""
    task: str
    settings: TaskSettings
    """Of the task, the budget among them."""
    candidate: str
    data: str
    """The hash of names, sizes and hashes of all that `prepare` wrote; `api.Task.data`."""
    images: dict[str, str]
    """Ids of the agent's and the scorer's image."""
    policy: str
    """Hash of what the containers are started with; see `sets.policy_hash`."""
    runtime: str
    """OCI runtime that was asked for; empty: the engine's own choice."""
    engine: str
    sandbox: str
    """Versions of the engine and the sandbox."""
    accepted: list[str]
    """Findings of the doctor that the run goes on in spite of, as its controller said."""
    seed: str
    """Commitment to the seed; its decimal digits are the value."""
    vault: str
    """Commitment to the vault's score, as JSON writes it; empty: it has none."""
    transcript: str
    """Hash of all that the scorer was told and said, keyed: see `sandbox.trials.transcript`."""
    log: str
    reason: str
    """Hashes of the texts that the ledger has."""
    outcome: Outcome
    score: float | None
    rehearsal_score: float | None
    examples: int
    seconds: float
    wall_seconds: float
    peak_memory_bytes: int
    device: str
    attempts: int
    """How often the candidate was let go, by the same seed: above 1 after `error`s."""
    finished_at: str


class ComparisonPredicate(Predicate, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One comparison of trials, or that it can't be made."""

    first: list[str]
    second: list[str]
    """Trial keys."""
    comparison: Comparison | None
    refused: str
    """Why there is none."""


class Opening(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a commitment was made to."""

    value: str
    nonce: str

    @property
    def commitment(self) -> str:
        """What the trial's receipt must have."""
        return sha256(f"{self.nonce}:{self.value}")


class ClosingPredicate(Predicate, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The end of a session: a chain that does not end with one was cut off, or goes on."""

    trials: int
    """In the whole chain."""
    seeds: dict[str, Opening]
    """By trial key, those that no earlier closing receipt revealed."""
    vaults: dict[str, Opening]
    """The same for vault scores, of the trials whose candidates were kept."""
    closed_at: str


class Digest(Struct, frozen=True, forbid_unknown_fields=True):
    sha256: str


class Subject(Struct, frozen=True, forbid_unknown_fields=True):
    """What a statement is about: the candidate, or what is compared or closed."""

    name: str
    digest: Digest


class _Statement(
    Struct, frozen=True, kw_only=True, tag_field="predicateType", forbid_unknown_fields=True
):
    """An in-toto statement v1."""

    type_: str = msgspec.field(name="_type", default=STATEMENT_TYPE)
    subject: list[Subject]


class TrialStatement(_Statement, frozen=True, kw_only=True, tag=_KIND + "trial:v1"):
    predicate: TrialPredicate


class ComparisonStatement(_Statement, frozen=True, kw_only=True, tag=_KIND + "comparison:v1"):
    predicate: ComparisonPredicate


class ClosingStatement(_Statement, frozen=True, kw_only=True, tag=_KIND + "closing:v1"):
    predicate: ClosingPredicate


Statement = TrialStatement | ComparisonStatement | ClosingStatement


def statement_of(predicate: Predicate) -> Statement:
    """The statement about what the predicate names: a candidate, trials, or the chain."""
    if isinstance(predicate, TrialPredicate):
        return TrialStatement(
            subject=[_subject("train.py", predicate.candidate)], predicate=predicate
        )
    if isinstance(predicate, ComparisonPredicate):
        keys = [*predicate.first, *predicate.second]
        return ComparisonStatement(
            subject=[_subject(key, sha256(key)) for key in keys], predicate=predicate
        )
    if isinstance(predicate, ClosingPredicate):
        return ClosingStatement(
            subject=[_subject("receipt", predicate.previous)], predicate=predicate
        )
    raise TypeError(type(predicate))


def sha256(text: str) -> str:
    """SHA-256 of a text's UTF-8, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def _subject(name: str, digest: str) -> Subject:
    return Subject(name=name, digest=Digest(sha256=digest))
