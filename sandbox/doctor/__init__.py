"""Whether this machine keeps what the policy promises: tried, not read off its settings.

Checks are of two classes. A measured one tries a promise in throw-away containers, and nobody can
accept its failure. An advisory one looks at what is around the containers; its finding is a
warning here, and the controller decides what it is for a run.
"""

from collections.abc import Callable

from sandbox.api import Advisory, Check, Verdict
from sandbox.containers.container import StartFailed
from sandbox.containers.host import Host
from sandbox.doctor.around import AROUND_CHECKS, Around, Finding, warning
from sandbox.doctor.channels import CHANNEL_CHECKS
from sandbox.doctor.measured import (
    FACT_CHECKS,
    SETTINGS,
    TRIED_CHECKS,
    UNSEEN,
    Facts,
    facts,
    gpu,
    idle,
    images,
    run_program,
)
from sandbox.errors import SandboxError

__all__ = [
    "AROUND_CHECKS",
    "CHANNEL_CHECKS",
    "FACT_CHECKS",
    "SETTINGS",
    "TRIED_CHECKS",
    "Around",
    "examine",
    "facts",
    "gpu",
    "idle",
    "run_program",
]

_MAKE_IMAGES = "Build the images again with `make images`."


def examine(host: Host) -> list[Check]:
    """All checks, in the order in which a reader wants them.

    They take about twenty seconds, under gVisor two minutes.
    """
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
        if seen["own_kernel"] and name in UNSEEN:
            found.append(_unseen(name))
        else:
            found.append(_checked(name, lambda check=check: check(seen)))  # type: ignore[misc]
    for name, try_it in TRIED_CHECKS.items():
        found.append(_checked(name, lambda try_it=try_it: try_it(host)))  # type: ignore[misc]
    found.append(_gpu(host))
    around = Around.of(host.engine, host.config.runtime)
    found += [_advised(name, lambda see=see: see(around)) for name, see in AROUND_CHECKS.items()]  # type: ignore[misc]
    found += [_advised(name, lambda use=use: use(host)) for name, use in CHANNEL_CHECKS.items()]  # type: ignore[misc]
    return found


def _unseen(name: str) -> Check:
    return Check(
        name=name,
        verdict=Verdict.not_applicable,
        measured=True,
        detail=f"{', '.join(SETTINGS[name])}: {UNSEEN[name]}.",
    )


def _gpu(host: Host) -> Check:
    if "nvidia" in host.runtimes and host.config.gpus != ():
        return _checked("gpu", lambda: gpu(host))
    return Check(
        name="gpu",
        verdict=Verdict.not_applicable,
        measured=True,
        detail="The engine has no runtime of NVIDIA's, or SEALED_GPUS names none.",
    )


def _checked(name: str, check: Callable[[], str]) -> Check:
    """Run a measured check; what it returns or raises is the finding, empty is a pass."""
    try:
        finding, next_step = check(), "SECURITY.md says what depends on it; do not run agents."
    except SandboxError as fault:
        finding, next_step = fault.message, fault.next_step
    except StartFailed as fault:
        finding, next_step = str(fault), _MAKE_IMAGES
    if finding and name in SETTINGS:
        finding = f"{', '.join(SETTINGS[name])}: {finding}"
    return Check(
        name=name,
        verdict=Verdict.failed if finding else Verdict.passed,
        measured=True,
        detail=finding or "holds",
        next_step=next_step if finding else "",
    )


def _advised(name: Advisory, check: Callable[[], Finding]) -> Check:
    """Run an advisory check; one that can't be tried warns, too."""
    try:
        found = check()
    except SandboxError as fault:
        found = warning(fault.message, fault.next_step)
    except StartFailed as fault:
        found = warning(str(fault), _MAKE_IMAGES)
    return Check(
        name=name,
        verdict=found.verdict,
        measured=False,
        detail=found.detail,
        next_step=found.next_step,
    )
