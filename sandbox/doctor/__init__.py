"""Whether this machine keeps what the policy promises: tried, not read off its settings.

Checks are of two classes. A measured one tries a promise in throw-away containers, and nobody can
accept its failure. An advisory one looks at what is around the containers; its finding is a
warning here, and the controller decides what it is for a run.
"""

from collections.abc import Callable

from sandbox.api import Check, Verdict
from sandbox.container import StartFailed
from sandbox.doctor.measured import (
    FACT_CHECKS,
    TRIED_CHECKS,
    Facts,
    facts,
    idle,
    images,
    run_program,
)
from sandbox.errors import SandboxError
from sandbox.host import Host

__all__ = ["FACT_CHECKS", "TRIED_CHECKS", "examine", "facts", "idle", "run_program"]


def examine(host: Host) -> list[Check]:
    """All checks, in the order in which a reader wants them; about ten seconds."""
    found = [_checked("images", lambda: images(host))]
    if found[0].verdict is Verdict.failed:
        return found
    seen: Facts = {}

    def look() -> str:
        seen.update(facts(host))
        return ""

    found.append(_checked("runner", look))
    if found[-1].verdict is Verdict.failed:
        return found
    for name, check in FACT_CHECKS.items():
        found.append(_checked(name, lambda check=check: check(seen)))  # type: ignore[misc]
    for name, try_it in TRIED_CHECKS.items():
        found.append(_checked(name, lambda try_it=try_it: try_it(host)))  # type: ignore[misc]
    return found


def _checked(name: str, check: Callable[[], str]) -> Check:
    """Run one check; what it returns or raises is the finding, empty is a pass."""
    try:
        finding, next_step = check(), "SECURITY.md says what depends on it; do not run agents."
    except SandboxError as fault:
        finding, next_step = fault.message, fault.next_step
    except StartFailed as fault:
        finding, next_step = str(fault), "Build the images again with `make images`."
    return Check(
        name=name,
        verdict=Verdict.failed if finding else Verdict.passed,
        measured=True,
        detail=finding or "holds",
        next_step=next_step if finding else "",
    )
