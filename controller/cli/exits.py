"""Exit codes, and how an error is told: in one place, one line each, with the next step.

0    done
1    failed: it was tried and did not work
2    usage: what was given can't be used
3    preflight: engine, images, resources or data are not fit for a trial
4    not found
5    busy: another process drives the run
130  interrupted
"""

import os
import sqlite3
import sys
from enum import IntEnum
from typing import Any

import typer
from typer.core import TyperGroup

from controller.cli import interrupts
from controller.cli.output import complain
from controller.errors import Busy, ControllerError, Failed, NotFound, Unsafe, Unusable
from sandbox import errors as sandbox


class Exit(IntEnum):
    """What the shell is told."""

    done = 0
    failed = 1
    usage = 2
    preflight = 3
    not_found = 4
    busy = 5
    interrupted = 130


_CODES: dict[type[Exception], Exit] = {
    Unusable: Exit.usage,
    NotFound: Exit.not_found,
    Busy: Exit.busy,
    Unsafe: Exit.preflight,
    Failed: Exit.failed,
    sandbox.BadRequest: Exit.failed,
    sandbox.BadTask: Exit.usage,
    sandbox.BadCandidate: Exit.usage,
    sandbox.UnknownTask: Exit.not_found,
    sandbox.UnknownTrial: Exit.not_found,
    sandbox.DataAltered: Exit.preflight,
    sandbox.EngineUnavailable: Exit.preflight,
    sandbox.RuntimeMissing: Exit.preflight,
    sandbox.ImageUnfit: Exit.preflight,
    sandbox.TooFewResources: Exit.preflight,
    sandbox.NoSpace: Exit.preflight,
    sandbox.Cancelled: Exit.interrupted,
    sandbox.Internal: Exit.failed,
}


class Verbs(TyperGroup):
    """The root command: turns whatever a verb raises into one line and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """With SEALED_DEBUG set, errors are raised as they are."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            interrupts.ended()
            complain("Interrupted.", "")
            raise typer.Exit(Exit.interrupted) from None
        except (ControllerError, sandbox.SandboxError) as fault:
            _raise_in_debugging()
            complain(fault.message, fault.next_step)
            raise typer.Exit(_CODES[type(fault)]) from None
        except BrokenPipeError:
            raise  # the reader of our output has gone: no error of ours
        except (OSError, sqlite3.Error) as fault:
            _raise_in_debugging()
            complain(f"A file can't be used: {fault}.", "Look at free space and permissions.")
            raise typer.Exit(Exit.failed) from None


def _raise_in_debugging() -> None:
    if os.environ.get("SEALED_DEBUG") and (fault := sys.exception()):
        raise fault
