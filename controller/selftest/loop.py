"""The naive loop's arm: what it makes of an attack, measured in a sealed trainer."""

import re
from collections.abc import Mapping
from importlib import resources

import msgspec

from controller.selftest.canary import Seen
from sandbox.api import Goal, TaskFiles, TrialResult

_SECONDS, _MEMORY_MIB = 300, 1024
"""What the loop's own trainer gets: it runs four experiments, each with the task's budget."""
_EXPERIMENT = re.compile(r"^=== (honest|attack)\n(.*?)\n=== ended (-?\d+)$", re.M | re.S)
_SCORE = re.compile(r"^score: (\S+)$", re.MULTILINE)


def with_settings(files: TaskFiles, settings: Mapping[str, float | None]) -> TaskFiles:
    """The same task with other numbers in its front matter, and with a name of its own for them."""
    program, name = files.program, files.name
    for setting, value in settings.items():
        if value is not None:
            program = re.sub(rf"(?m)^{setting}: .*$", f"{setting}: {value}", program)
            name += f"-{value:g}"
    return msgspec.structs.replace(files, name=name, program=program)


def loop_task(files: TaskFiles) -> TaskFiles:
    """The same task with time and memory for a whole loop."""
    return with_settings(files, {"budget_seconds": _SECONDS, "memory_mib": _MEMORY_MIB})


def loop_candidate(attack: str, honest: str) -> str:
    """The loop's program with both texts in it."""
    text = (resources.files("controller.selftest") / "naive_loop.py").read_text("utf-8")
    for name, value in (("ATTACK", attack), ("HONEST", honest)):
        line = f"{name} = {value!r}".replace("\\", r"\\")
        text = re.sub(rf"(?m)^{name} = .*$", line, text)
    return text


def read_loop(result: TrialResult, goal: Goal) -> list[Seen]:
    """What the loop saw of its attacks, and of the honest experiment after them.

    That last one is given only where it differs from the first: then the attack lives on in it.
    Empty: the loop did not come to its end, or its honest experiment has no score.
    """
    found = _EXPERIMENT.findall(result.log)
    if len(found) < 3 or (honest := _score(*found[0][1:])) is None:
        return []
    seen = []
    for name, log, status in found[1:]:
        score = _score(log, status)
        if name == "honest" and score == honest:
            continue
        seen.append(
            Seen(
                outcome="crash" if score is None else "scored",
                score=score,
                rehearsal=None,
                honest=honest,
                honest_rehearsal=None,
                goal=goal,
                log=log,
                reason="",
                seconds=result.seconds,
            )
        )
    return seen


def _score(log: str, status: str) -> float | None:
    lines = _SCORE.findall(log)
    try:
        return float(lines[-1]) if lines and status == "0" else None
    except ValueError:
        return None
