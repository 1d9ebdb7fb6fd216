"""Whether held-out means held-out: examples in two splits, and examples in the agent image.

Two containers look, and neither runs agent code. One has the data, read-only and without a network,
and counts (`programs/splits.py`). The other is of the agent image, has no data, and is told a few
held-out examples to look for in the image's files (`programs/canaries.py`). What leaves here are
counts and the names of files: for the operator.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any

import msgspec
from msgspec import Struct

from sandbox import limits
from sandbox.api import Check, Verdict
from sandbox.containers.container import RoleContainer, StartFailed, put_away
from sandbox.containers.host import Host
from sandbox.containers.probe import probe_order
from sandbox.errors import Internal
from sandbox.log_reader import last_line
from sandbox.policy import PYTHON, Role, Volumes
from sandbox.tasks.preparation import ask_about_data
from sealed_task import frames, values

_FEW = 8
"""A file with fewer examples says nothing of its split."""
_SOME, _MANY = 0.01, 0.1
"""Shares of a file's examples: from the first on a warning; so much more than chance, refused."""
_ALL = 0.75
"""Of the canaries: the held-out data as a whole is in the image, and not a common phrase."""
_SEALED = ("held_out", "vault")
_ANSWER_BYTES = 1 << 20


class Row(Struct, frozen=True, kw_only=True):
    """Of the examples of one file that were looked for, how many are in another split too."""

    split: str
    file: str
    examples: int
    public: int
    """In train or rehearsal; for a file of the rehearsal, in train; for one of train, twice."""
    held_out: int
    """In the held-out split, for a file of the vault."""


class Report(Struct, frozen=True, kw_only=True):
    """What `programs/splits.py` answers."""

    rows: list[Row]
    partial: bool
    """A split is so large that only its first bytes were looked through."""
    canaries: list[list[str]]
    """Held-out examples, each in all ways of writing it, in hexadecimal."""


class Searched(Struct, frozen=True, kw_only=True):
    """What `programs/canaries.py` answers."""

    found: list[list[str]]
    """For each canary the files of the image that have it."""
    unread: int = 0
    """Files that could not be read to their end: broken, or locked."""


def survey(host: Host, volumes: Volumes, scorer: str, agent: str, agent_tag: str) -> list[Check]:
    """Both findings; the images are given by id. Raises `Internal` if a container does not answer.

    It takes some seconds, and with large data or images a minute.
    """
    frame, output = ask_about_data(host, Role.survey, volumes, scorer, frames.Kind.VERIFY, b"")
    if frame is None or frame.kind != frames.Kind.PREPARED:
        raise Internal(
            f"The splits could not be looked through: {last_line(output) or 'no answer'}.",
            "See `sealed doctor`.",
        )
    answer: Any = values.decode(bytes(frame.payload))
    report = msgspec.convert(answer, Report)
    return [duplicates(report), in_image(agent_tag, _search(host, agent, report.canaries))]


def _search(host: Host, image: str, canaries: list[list[str]]) -> Searched:
    if not canaries:
        return Searched(found=[])
    source = resources.files("sandbox.programs").joinpath("canaries.py").read_text()
    container = RoleContainer(host.engine, probe_order(host, image), host.uids)
    try:
        container.start_program([PYTHON, "-I", "-B", "-c", source], most=_ANSWER_BYTES)
        container.ready()
        released = container.release(limits.IMAGE_SEARCH, json.dumps(canaries).encode())
        answer = container.wait_frame(released + limits.IMAGE_SEARCH)
        told = container.log.text()
    except StartFailed as fault:
        raise Internal(
            f"The agent image could not be searched: {fault}.", "See `sealed doctor`."
        ) from None
    finally:
        put_away(container)
    if answer is None:
        raise Internal(
            f"The agent image could not be searched: {last_line(told) or 'no answer'}.",
            f"It has {limits.IMAGE_SEARCH} s for its files; a smaller image is searched sooner.",
        )
    return msgspec.json.decode(bytes(answer.payload), type=Searched)


# ---- what it means ----------------------------------------------------------------------------


def duplicates(report: Report) -> Check:
    """Examples of one split that are in another one."""
    rows = [row for row in report.rows if row.examples >= _FEW]
    sealed = sum(row.examples for row in rows if row.split in _SEALED)
    if not sealed:
        return _check(
            "duplicates",
            Verdict.not_applicable,
            "Held-out split and vault have no rows, lines or texts that could be told apart.",
        )
    worst = max(_overlaps(rows), key=_Overlap.gravity)
    looked = " (the first bytes of each split alone)" if report.partial else ""
    if worst.share < _SOME:
        some = f"at most {worst.share:.1%} of a file's" if worst.share else "none"
        return _check(
            "duplicates",
            Verdict.passed,
            f"Of {sealed} held-out and vault examples that were looked for{looked}, {some} are "
            "in another split.",
        )
    told = (
        f"{worst.file}: {worst.share:.0%} of {worst.examples} examples are in {worst.where} too; "
        f"of train's own {worst.natural:.0%} are there twice{looked}."
    )
    alone = "Deal each example, with all that is like it, to one split alone in prepare.py"
    if not worst.unnatural:
        return _check(
            "duplicates", Verdict.warning, told, f"{alone}, unless rows are alike by nature."
        )
    if worst.readable:
        return _check(
            "duplicates", Verdict.failed, f"{told} A program that remembers wins.", f"{alone}."
        )
    return _check(
        "duplicates",
        Verdict.warning,
        told,
        f"{alone}: the rehearsal shows no program that remembers, and the vault none that was "
        "fitted to the held-out split.",
    )


@dataclass(frozen=True, kw_only=True)
class _Overlap:
    """Examples of a file that are in another split too."""

    file: str
    examples: int
    where: str
    share: float
    natural: float
    """The share of train's own examples, of such a file, that are there twice."""
    readable: bool
    """An agent can read what it is scored on."""

    @property
    def unnatural(self) -> bool:
        return self.share > self.natural + _MANY

    def gravity(self) -> tuple[bool, bool, bool, float]:
        """The gravest is told: what makes scores untrue, then what looks like it."""
        some = self.share >= _SOME
        return some and self.readable and self.unnatural, some, self.readable, self.share


def _overlaps(rows: list[Row]) -> Iterator[_Overlap]:
    own = {row.file: row.public / row.examples for row in rows if row.split == "train"}
    train = [row for row in rows if row.split == "train"]
    pooled = sum(row.public for row in train) / max(1, sum(row.examples for row in train))
    for row in rows:
        sealed = row.split in _SEALED
        places = [] if row.split == "train" else [("train or rehearsal", row.public, sealed)]
        if row.split == "vault":
            places.append(("the held-out split", row.held_out, False))
        for where, count, readable in places:
            yield _Overlap(
                file=f"{row.split}/{row.file}",
                examples=row.examples,
                where=where if sealed else "train",
                share=count / row.examples,
                natural=own.get(row.file, pooled),
                readable=readable,
            )


def in_image(tag: str, searched: Searched) -> Check:
    """Canaries of the held-out data in the files of the agent image."""
    found = searched.found
    if not found:
        return _check(
            "agent_image", Verdict.not_applicable, "The held-out split has nothing to look for."
        )
    unread = f", and {searched.unread} files could not be read" if searched.unread else ""
    hits = sum(bool(paths) for paths in found)
    if not hits:
        return _check(
            "agent_image",
            Verdict.passed,
            f"Of {len(found)} held-out examples none is in a file of {tag}, neither as it is nor "
            f"in other types, as text or packed; libraries of machine code were left out{unread}.",
        )
    paths = sorted(
        {path for of_one in found for path in of_one}, key=lambda path: (len(path), path)
    )
    told = (
        f"Of {len(found)} held-out examples {hits} are in files of {tag}: {', '.join(paths[:3])}."
    )
    if hits >= _ALL * len(found):
        return _check(
            "agent_image",
            Verdict.failed,
            f"{told} A candidate can look them up.",
            "Take that package or file out of the task's Dockerfile, or hold out other data.",
        )
    return _check(
        "agent_image",
        Verdict.warning,
        told,
        "Where knowing them wins, take the file out of the image, or hold out other data.",
    )


def _check(name: str, verdict: Verdict, detail: str, next_step: str = "") -> Check:
    return Check(name=name, verdict=verdict, measured=True, detail=detail, next_step=next_step)
