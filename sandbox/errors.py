"""The errors that cross the border, drawn once.

Every error is a `SandboxError` with a closed `kind`, one sentence of what is wrong, and the next
step. Over the socket only `kind`, `message` and `next_step` travel; the client builds the same
class again from the kind, so neither side imports the other's exceptions.

    SandboxError
    ├── BadRequest          the message itself is not one of `sandbox.api`
    ├── BadTask             a task folder or its settings cannot work
    ├── BadCandidate        the text is no candidate (size, encoding)
    ├── UnknownTask         no task of this hash was prepared here
    ├── UnknownTrial        no finished trial has this key
    ├── DataAltered         prepared data is missing or not what prepare wrote
    ├── EngineUnavailable   no engine answers, or it answers with an error
    ├── RuntimeMissing      the runtime asked for is not registered with the engine
    ├── ImageUnfit          an image is missing, or is not fit for its role
    ├── TooFewResources     more CPUs, memory or GPUs than there are
    ├── NoSpace             the disk is full
    ├── Cancelled           the trial was cancelled by its client
    └── Internal            our own fault; the message names the log
"""

from typing import ClassVar


class SandboxError(Exception):
    """An error with its kind, what is wrong, and what to do next."""

    kind: ClassVar[str] = "internal"

    def __init__(self, message: str, next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.message} {self.next_step}".strip()


class BadRequest(SandboxError):
    kind = "bad_request"


class BadTask(SandboxError):
    kind = "bad_task"


class BadCandidate(SandboxError):
    kind = "bad_candidate"


class UnknownTask(SandboxError):
    kind = "unknown_task"


class UnknownTrial(SandboxError):
    kind = "unknown_trial"


class DataAltered(SandboxError):
    kind = "data_altered"


class EngineUnavailable(SandboxError):
    kind = "engine_unavailable"


class RuntimeMissing(SandboxError):
    kind = "runtime_missing"


class ImageUnfit(SandboxError):
    kind = "image_unfit"


class TooFewResources(SandboxError):
    kind = "too_few_resources"


class NoSpace(SandboxError):
    kind = "no_space"


class Cancelled(SandboxError):
    kind = "cancelled"


class Internal(SandboxError):
    kind = "internal"


KINDS: dict[str, type[SandboxError]] = {
    cls.kind: cls
    for cls in (
        BadRequest,
        BadTask,
        BadCandidate,
        UnknownTask,
        UnknownTrial,
        DataAltered,
        EngineUnavailable,
        RuntimeMissing,
        ImageUnfit,
        TooFewResources,
        NoSpace,
        Cancelled,
        Internal,
    )
}
"""Every kind that can cross the socket."""


def from_kind(kind: str, message: str, next_step: str) -> SandboxError:
    """The error of this kind; a kind of a newer sandbox becomes `Internal`."""
    return KINDS.get(kind, Internal)(message, next_step)
