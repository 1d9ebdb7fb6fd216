"""What each kept change is worth in the champion: it is taken out, and both are trained anew.

A gain was measured over the champion of its time. Since then others came, and may do what it did;
and what was kept by luck is still in there. So each change between baseline and champion is taken
out of the champion's text (`controller/merge.py`), and what is left is trained beside the champion
in turn, with seeds that decided nothing. These trials are of no run and leave no receipt. Their
keys are made of the texts: asked again, with more trials or for another page, only what is missing
is trained.
"""

import hashlib
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from controller.decision import better
from controller.decision.interval import half_width
from controller.diff import MOST_LINES
from controller.errors import Failed, Unusable
from controller.ledger import Ledger
from controller.merge import merged
from controller.runs import files_of, reading
from controller.trial import run_trial
from sandbox.api import OnProgress, Outcome, Progress, Sandbox, TaskSettings, TrialRequest
from sandbox.errors import BadCandidate

_REASON_LETTERS = 300


class Worth(StrEnum):
    """What a change is worth in the champion."""

    worth = "worth it"
    """Without it the champion is worse: the interval is above zero."""
    unclear = "cannot be told from nothing"
    """The interval has zero in it."""
    harmful = "harmful"
    """Without it the champion is better: the interval is below zero."""
    needed = "cannot be taken out"
    """Later changes rest on it, or nothing has a score without it."""
    gone = "not in the champion"
    """Later changes took it out again, or it changed no code."""


class Change(Struct, frozen=True, kw_only=True):
    """One kept change. The gain is in the metric's unit; positive: the champion is better with it.

    Gain and interval are None where it could not be measured; `detail` says why then.
    """

    number: int
    hypothesis: str
    worth: Worth
    detail: str = ""
    gain: float | None = None
    low: float | None = None
    """Of the gain's 95 % interval, from the spread between seeds and between examples."""
    high: float | None = None


class Ablation(Struct, frozen=True, kw_only=True):
    """The kept changes from the baseline to the champion, in order."""

    champion: int
    trials: int
    """Of the champion, and of it without each change that could be taken out."""
    changes: list[Change]


def ablation(
    folder: Path,
    sandbox: Sandbox,
    trials: int,
    on_progress: OnProgress,
    say: Callable[[str], None] = lambda _: None,
) -> Ablation:
    """Take each kept change out of the champion of a run, and measure what is left, `trials` times.

    At least two trials; `say` is told beforehand how many there are in all. Raises `Unusable` where
    nothing was kept, `Failed` where the champion has no score or the sandbox is at fault, and what
    the sandbox raises.
    """
    with reading(folder) as (ledger, row):
        champion = ledger.champion()
        if champion is None or champion.number == 0:
            raise Unusable(f"Nothing can be taken out in {folder.name}: nothing was kept.", "")
        text = ledger.candidate(champion.number)
        found = [_without(ledger, chain, sandbox) for chain in _chains(ledger, champion.number)]
    task = sandbox.prepare(files_of(folder), on_progress)
    sandbox.verify(task.hash, on_progress)
    lab = _Lab(sandbox, task.hash, row.id, on_progress)
    left = {change.number: rest for change, rest in found if rest is not None}
    say(
        f"{len(found)} kept changes, {len(left)} can be taken out: {trials} trials of each and of "
        f"the champion, about {(champion.wall_seconds or 0.0) * trials * (1 + len(left)):.0f} s"
    )
    fallen = dict[int, str]()
    for number in range(1, trials + 1):
        if reason := lab.trial(text, number, f"the champion, trial {number} of {trials}"):
            raise Failed(
                f"The champion's trial {number} ended as {reason}",
                "What fails can't be compared with; `sealed experiment show`.",
            )
        for change, rest in left.items():
            if change not in fallen:
                what = f"without experiment {change}, trial {number} of {trials}"
                if reason := lab.trial(rest, number, what):
                    fallen[change] = f"Without it, trial {number} ends as {reason}"
    return Ablation(
        champion=champion.number,
        trials=trials,
        changes=[
            change
            if rest is None
            else replace(change, worth=Worth.needed, detail=fallen[change.number])
            if change.number in fallen
            else lab.measured(change, text, rest, row.settings)
            for change, rest in found
        ],
    )


def _chains(ledger: Ledger, champion: int) -> list[list[int]]:
    """For each kept change up to the champion: what it was made from, it, and those after it."""
    numbers = [champion]
    while (parent := ledger.experiment(numbers[0]).parent) is not None:
        numbers.insert(0, parent)
    return [numbers[place:] for place in range(len(numbers) - 1)]


def _without(ledger: Ledger, chain: Sequence[int], sandbox: Sandbox) -> tuple[Change, str | None]:
    """A change, and the champion without it; None: there is none, and the change says why."""
    parent, number, champion = chain[0], chain[1], chain[-1]
    texts = {n: ledger.candidate(n) for n in chain}
    change = Change(
        number=number, hypothesis=ledger.experiment(number).hypothesis, worth=Worth.needed
    )
    rest = merged(texts[number], texts[champion], texts[parent])
    if rest is None:
        return replace(change, detail=_rests(texts, chain)), None
    try:
        same = sandbox.fingerprint(rest) == sandbox.fingerprint(texts[champion])
    except BadCandidate as refused:
        return replace(change, detail=f"What is left is no candidate: {refused}"), None
    if same:
        detail = "Without it the champion is the same program, but for comments and layout."
        return replace(change, worth=Worth.gone, detail=detail), None
    return change, rest


def _rests(texts: dict[int, str], chain: Sequence[int]) -> str:
    parent, number, *later = chain
    if max(len(text.splitlines()) for text in texts.values()) > MOST_LINES:
        return f"A text has over {MOST_LINES} lines, which are not compared."
    first = next(n for n in later if merged(texts[number], texts[n], texts[parent]) is None)
    return f"Experiment {first} changed the same lines, and rests on it."


class _Lab:
    """Trials of texts, and what they came to."""

    def __init__(self, sandbox: Sandbox, task: str, run: str, on_progress: OnProgress) -> None:
        self._sandbox, self._task, self._run = sandbox, task, run
        self._on_progress = on_progress
        self._scores = dict[str, list[float]]()
        self._keys = dict[str, list[str]]()

    def trial(self, text: str, number: int, what: str) -> str:
        """Train a text once more; how it failed, or nothing. Raises `Failed` for our own fault."""
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        key = f"ablation-{self._run}-{digest}-{number}"

        def tell(progress: Progress) -> None:
            detail = ", ".join(filter(None, (what, progress.detail)))
            self._on_progress(replace(progress, detail=detail))

        request = TrialRequest(key=key, task=self._task, candidate=text)
        result = run_trial(self._sandbox, request, tell)
        if result.outcome is Outcome.error:
            raise Failed(f"The sandbox could not run {what}: {result.reason}", "`sealed doctor`.")
        if result.outcome is not Outcome.scored or result.score is None:
            return f"{result.outcome}: {result.reason[:_REASON_LETTERS]}"
        self._scores.setdefault(text, []).append(result.score)
        self._keys.setdefault(text, []).append(key)
        return ""

    def measured(self, change: Change, whole: str, rest: str, settings: TaskSettings) -> Change:
        """The change with what it is worth: the champion's score less that of what is left."""
        compared = self._sandbox.compare(self._keys[whole], self._keys[rest])
        width = half_width(compared.standard_error, self._scores[whole], self._scores[rest])
        gain = better(settings) * compared.difference + 0.0
        low, high = gain - width, gain + width
        worth = Worth.worth if low > 0 else Worth.harmful if high < 0 else Worth.unclear
        return replace(change, worth=worth, gain=gain, low=low, high=high)
