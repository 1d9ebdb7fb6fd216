"""The agent `replay`: candidates that exist already, from a folder or from another run."""

import re
import tokenize
from collections.abc import Sequence
from io import StringIO
from operator import attrgetter
from pathlib import Path

from controller.candidate import Candidate, Unfit
from controller.errors import NotFound, Unusable
from controller.remembered import Remembered
from controller.runs import reading
from controller.visible import View
from sandbox.api import CANDIDATE_BYTES

_QUOTES = re.compile(r"""[rRuU]?("{3}|'{3}|"|')(.*)\1""", re.DOTALL)


class Replay:
    """Proposes each of its items once, in order: its own proposal n in the run is item n."""

    name = "replay"

    def __init__(self, items: Sequence[Candidate | Unfit]) -> None:
        self._items = items
        self._agents = Remembered(attrgetter("agent"))

    def propose(self, view: View) -> Candidate | Unfit | None:
        after_baseline = self._agents.of(view)[1:]
        others = len(after_baseline) - after_baseline.count(self.name)
        number = view.proposals - others
        return self._items[number] if number < len(self._items) else None


def from_folder(folder: Path) -> list[Candidate | Unfit]:
    """The `*.py` of a folder by name. Raises `NotFound`, `Unusable`."""
    if not folder.is_dir():
        raise NotFound(f"No folder or run is at {folder}.", "Give --from a folder or a run.")
    items = [_from_file(path) for path in sorted(folder.glob("*.py"))]
    if not items:
        raise Unusable(f"No *.py is in {folder}.", "Put candidates there, in the order of names.")
    return items


def from_run(folder: Path) -> list[Candidate | Unfit]:
    """The candidates of another run, its baseline left out."""
    with reading(folder) as (ledger, _):
        sources = ledger.candidates()
        return [
            Candidate(source=sources[experiment.number], hypothesis=experiment.hypothesis)
            for experiment in ledger.experiments()
            if experiment.number > 0
        ]


def _from_file(path: Path) -> Candidate | Unfit:
    try:
        with path.open("rb") as file:
            data = file.read(CANDIDATE_BYTES + 1)
    except OSError as fault:
        return Unfit(hypothesis=path.stem, reason=f"{path.name} can't be read: {fault.strerror}.")
    if len(data) > CANDIDATE_BYTES:
        return Unfit(
            hypothesis=path.stem, reason=f"{path.name} is over {CANDIDATE_BYTES // 1024} KiB."
        )
    try:
        source = data.decode("utf-8")
    except UnicodeDecodeError:
        return Unfit(hypothesis=path.stem, reason=f"{path.name} is not UTF-8.")
    return Candidate(source=source, hypothesis=_first_line(source) or path.stem)


def _first_line(source: str) -> str:
    """The first line of a file's docstring, found without parsing the file; "" if it has none."""
    try:
        for token in tokenize.generate_tokens(StringIO(source).readline):
            if token.type in (tokenize.COMMENT, tokenize.NL):
                continue
            quoted = _QUOTES.fullmatch(token.string) if token.type == tokenize.STRING else None
            return quoted[2].strip().split("\n")[0] if quoted else ""
    except (tokenize.TokenError, SyntaxError):
        pass
    return ""
