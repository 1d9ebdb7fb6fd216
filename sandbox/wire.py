"""Paths of the API and how a call's arguments travel: shared by server and client."""

from msgspec import Struct

PREPARE = "/v1/prepare"
TASKS = "/v1/tasks"
VERIFY = "/v1/verify"
SURVEY = "/v1/survey"
FORGET = "/v1/forget"
RUN = "/v1/run"
RESULT = "/v1/result"
CANCEL = "/v1/cancel"
COMPARE = "/v1/compare"
FINGERPRINT = "/v1/fingerprint"
RECEIPTS = "/v1/receipts"
CLOSE_RUN = "/v1/close-run"
DOCTOR = "/v1/doctor"
REAP = "/v1/reap"
INFO = "/v1/info"
LEASE = "/v1/lease"
"""Held open by a client that started the sandbox: with the last one gone, the sandbox ends."""

MOST_REQUEST_BYTES = 4 * 1024 * 1024
"""A larger body is refused unread."""


class Name(Struct, frozen=True, forbid_unknown_fields=True):
    """A task's hash or a trial's key."""

    name: str


class Source(Struct, frozen=True, forbid_unknown_fields=True):
    """A candidate's text."""

    candidate: str


class Sides(Struct, frozen=True, forbid_unknown_fields=True):
    """The two lists of trial keys of a comparison."""

    first: list[str]
    second: list[str]
    run: str = ""


class After(Struct, frozen=True, forbid_unknown_fields=True):
    """A run, and how many of its receipts are known."""

    run: str
    count: int


class Kept(Struct, frozen=True, forbid_unknown_fields=True):
    """A run, and the trials whose candidates were kept."""

    run: str
    trials: list[str]
