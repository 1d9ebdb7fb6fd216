"""The front matter of `program.md`: parsed, bounded, frozen; unknown keys are refused."""

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
    "min_gain": (0, 1e9),
    "false_keeps_per_100": (0.0001, 10),
    "noise_seeds": (5, 100),
}
"""Lowest and highest value of each number, in the setting's own unit."""

_MOST_BYTES = 256 * 1024
_IMAGE = re.compile(r"[a-z0-9][a-z0-9._/:@-]{0,254}")
_MANUAL = "tasks/README.md lists all keys."


class _Plain(yaml.SafeLoader):
    """YAML of plain values: what could grow without bound, or hide a second value, is refused."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or event.anchor or event.tag:
            raise yaml.MarkedYAMLError(
                problem="anchors, aliases and tags are not for settings",
                problem_mark=event.start_mark,
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"{key.value} is set twice", problem_mark=key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def parse_program(text: str) -> tuple[TaskSettings, str]:
    """The settings and the prose of a `program.md`. Raises `BadTask`."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise BadTask("program.md is not UTF-8.", "Save it as UTF-8.") from None
    if size > _MOST_BYTES:
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
        plain: Any = yaml.load(text, _Plain)  # noqa: S506  (plain values, and no objects)
    except (yaml.YAMLError, ValueError, ArithmeticError, RecursionError) as fault:
        # Not only YAMLError: the 99th of a month, or a number of 5000 digits, is a ValueError.
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
                f"The setting {name} is {_shown(value)}, but must be from {low:g} to {high:g}.",
                "Change it in program.md.",
            )
    if settings.gpus not in (0, 1, "auto"):
        raise BadTask(f"The setting gpus is {_shown(settings.gpus)}.", "Use 0, 1 or auto.")
    if (
        not settings.metric.strip()
        or len(settings.metric) > 64
        or not settings.metric.isprintable()
    ):
        raise BadTask("The setting metric is no unit.", "Give 1 to 64 printable characters.")
    for name in ("image", "scorer_image"):
        if not _IMAGE.fullmatch(tag := getattr(settings, name)):
            raise BadTask(
                f"The setting {name} is {tag!r}.", "Give the tag of an image on the engine."
            )
    return settings


def _shown(value: object) -> str:
    """A value for a message: Python refuses to print a number of very many digits."""
    return "huge" if isinstance(value, int) and value.bit_length() > 64 else str(value)
