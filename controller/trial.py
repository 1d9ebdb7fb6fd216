"""One trial, cancelled when the person at the keyboard interrupts."""

from contextlib import suppress

from sandbox.api import OnProgress, Sandbox, TrialRequest, TrialResult
from sandbox.errors import SandboxError


def run_trial(sandbox: Sandbox, request: TrialRequest, on_progress: OnProgress) -> TrialResult:
    """Run a trial, or fetch what its key came to.

    Interrupted, it frees the key before it passes the interrupt on: no container trains for
    nobody, and the same request later starts anew. Raises what `Sandbox.run` raises.
    """
    try:
        return sandbox.run(request, on_progress)
    except KeyboardInterrupt:
        with suppress(SandboxError):  # it may have ended, or never begun
            sandbox.cancel(request.key)
        raise
