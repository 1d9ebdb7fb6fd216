"""Whether a run may begin on this machine: what the doctor found, held against who writes code.

Pure functions. A measured failure stops every run. An advisory finding is a warning where
candidates come from a search or from a person's own files, and stops a run whose candidates a model
writes, unless a person has accepted that finding by name.
"""

from collections.abc import Collection, Sequence

from msgspec.structs import replace

from controller.errors import Unsafe
from sandbox.api import Advisory, Check, Verdict


def judged(
    checks: Sequence[Check], *, model_writes: bool, accepted: Collection[Advisory]
) -> list[Check]:
    """The doctor's findings with the verdicts that they have for a run."""
    return [_judge(check, model_writes, is_accepted(check, accepted)) for check in checks]


def _judge(check: Check, model_writes: bool, accepted: bool) -> Check:
    if check.measured or check.verdict is not Verdict.warning:
        return check
    if accepted:
        return replace(check, detail=f"Accepted. {check.detail}", next_step="")
    if model_writes:
        way_out = f"{check.next_step} Or run in spite of it: `--accept {check.name}`."
        return replace(check, verdict=Verdict.failed, next_step=way_out.strip())
    return check


def is_accepted(check: Check, accepted: Collection[Advisory]) -> bool:
    """Whether a person has accepted this finding: an advisory one that warns."""
    return not check.measured and check.verdict is Verdict.warning and check.name in accepted


def admit(checks: Sequence[Check], *, model_writes: bool, accepted: Collection[Advisory]) -> None:
    """Raise `Unsafe` if a run must not begin."""
    failed = [
        check
        for check in judged(checks, model_writes=model_writes, accepted=accepted)
        if check.verdict is Verdict.failed
    ]
    if failed:
        more = f" And {len(failed) - 1} more, see `sealed doctor`." if failed[1:] else ""
        raise Unsafe(f"{failed[0].name}: {failed[0].detail}{more}", failed[0].next_step)
