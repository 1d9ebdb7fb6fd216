"""Keeps one task's run going for days, unattended: what `sealed serve TASK` does beside the page.

A run that halts for a reason of its own (limits, a person's stop, no more candidates) stays halted
until a person wants it to go on. What is not the run's doing (the sandbox is restarting, the disk
is full, the engine is down) is waited for, and the run goes on by itself.
"""

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from enum import StrEnum

import structlog
from msgspec import Struct
from msgspec.structs import replace

from controller.agents.base import Unfit
from controller.driver import Order, drive
from controller.errors import Busy, ControllerError
from controller.ledger import Experiment, Halt, Wanted
from controller.runs import newest_run, reading, runs_root, want, wanted
from controller.task import find_task
from sandbox.api import Progress, Sandbox
from sandbox.errors import BadTask, DataAltered, ImageUnfit, RuntimeMissing, SandboxError
from sandbox.errors import TooFewResources, UnknownTask

log = structlog.get_logger(__name__)

_LOOK_SECONDS = 0.5
_WAIT_SECONDS = (2.0, 5.0, 10.0, 30.0)
"""How long to wait for what is not the run's doing, the first time and later."""
_LASTING = (BadTask, DataAltered, ImageUnfit, RuntimeMissing, TooFewResources, UnknownTask)
"""Errors that do not pass by themselves."""
_PASSING = (Halt.disk,)


class Doing(StrEnum):
    """What the supervisor is about."""

    preparing = "preparing"
    """From the start to the run: the sandbox is found, the task prepared and checked."""
    driving = "driving"
    """A run is driven; its own status says the rest."""
    waiting = "waiting"
    """Something is wrong that may pass; it tries again."""
    halted = "halted"
    """Nothing is to be done until a person wants it."""


class Serving(Struct, frozen=True, kw_only=True):
    """How the supervisor stands, for the page."""

    task: str
    doing: Doing
    since: str
    """UTC, ISO 8601."""
    run: str | None = None
    """The name of the run, once there is one."""
    stage: Progress | None = None
    """Of preparing."""
    problem: str = ""
    """What is wrong, where it waits or has halted."""
    next_step: str = ""


