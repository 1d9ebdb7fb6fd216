"""The front matter of `program.md`: parsed, bounded, frozen; unknown keys are refused."""

import math
import re
from typing import Any

import msgspec
import yaml

from sandbox.api import TaskSettings
from sandbox.errors import BadTask

BOUNDS: dict[str, tuple[float, float]] = {
    "budget_seconds": (0.2, 86_400),
    "load_seconds": (0.1, 600),
    "scoring_seconds": (0.1, 3600),
    "memory_mib": (64, 4 * 1024 * 1024),
    "cpus": (0.1, 1024),
    "artifact_mib": (1, 65_536),
    "min_gain": (0, math.inf),
}
"""Lowest and highest value of each number, in the setting's own unit."""

_MOST_BYTES = 256 * 1024
_IMAGE = re.compile(r"[a-z0-9][a-z0-9._/:@-]{0,254}")
_MANUAL = "tasks/README.md lists all keys."


def parse_program(text: str) -> tuple[TaskSettings, str]:
    """The settings and the prose of a `program.md`. Raises `BadTask`."""
    if len(text.encode()) > _MOST_BYTES:
        raise BadTask(f"program.md is over {_MOST_BYTES // 1024} KiB.", "Shorten its prose.")
    lines = text.splitlines(keepends=True)
    if not lines or lines[0].strip() != "---":
        raise BadTask(
            "program.md has no front matter.",
            "Begin it with `---`, the settings, and `---`; " + _MANUAL,
        )
    end = next((n for n, line in enumerate(lines[1:], 1) if line.strip() == "---"), None)
    if end is None:
        raise BadTask("The front matter of program.md is not closed.", "Add a line `---` below it.")
    return _settings("".join(lines[1:end])), "".join(lines[end + 1 :]).strip()


def _settings(text: str) -> TaskSettings:
    try:
        # BaseLoader would make all strings; safe_load makes plain values and no objects.
        plain: Any = yaml.safe_load(text)
    except yaml.YAMLError as fault:
        raise BadTask(
            f"The front matter of program.md is not YAML: {' '.join(str(fault).split())}",
            _MANUAL,
        ) from None
    if not isinstance(plain, dict):
        raise BadTask("The front matter of program.md is not a list of `key: value`.", _MANUAL)
    try:
        settings = msgspec.convert(plain, TaskSettings)
    except msgspec.ValidationError as fault:
        raise BadTask(f"A setting in program.md can't be used: {fault}.", _MANUAL) from None
    for name, (low, high) in BOUNDS.items():
        value = getattr(settings, name)
        if not low <= value <= high:  # also refuses NaN
            raise BadTask(
                f"The setting {name} is {value}, but must be from {low:g} to {high:g}.",
                "Change it in program.md.",
            )
    if settings.gpus not in (0, 1, "auto"):
        raise BadTask(f"The setting gpus is {settings.gpus}.", "Use 0, 1 or auto.")
    if (
        not settings.metric.strip()
        or len(settings.metric) > 64
        or not settings.metric.isprintable()
    ):
        raise BadTask("The setting metric is no unit.", "Give 1 to 64 printable characters.")
    if not _IMAGE.fullmatch(settings.image):
        raise BadTask(
            f"The setting image is {settings.image!r}.", "Give the tag of an image on the engine."
        )
    return settings
