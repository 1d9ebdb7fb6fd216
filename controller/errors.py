"""The controller's own errors; those that cross the border are in `sandbox.errors`.

ControllerError
├── Unusable    what was given can't be used: a task folder, a mark, an option
├── NotFound    no such task, run, experiment or file
├── Busy        another process drives this run
├── Unsafe      this machine does not keep what the run depends on
└── Failed      it was tried and did not work
"""


class ControllerError(Exception):
    """An error with what is wrong, and what to do next."""

    def __init__(self, message: str, next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.message} {self.next_step}".strip()


class Unusable(ControllerError):
    """What was given can't be used."""


class NotFound(ControllerError):
    """There is no such task, run, experiment or file."""


class Busy(ControllerError):
    """Another process drives this run."""


class Unsafe(ControllerError):
    """This machine does not keep what the run depends on."""


class Failed(ControllerError):
    """It was tried and did not work."""
