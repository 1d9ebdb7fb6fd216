"""Runs whose model says what an attacker wrote: the real loop, agent and caller, a fake sandbox."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec.structs import replace

from controller.agents.llm import LLM
from controller.decision import Decision
from controller.halting import Halted
from controller.ledger import Model, RunLimits
from controller.llm.caller import Caller
from controller.llm.client import Client
from controller.llm.provider import Answer, Ask
from controller.run import Run
from sandbox.api import OnProgress, Outcome, TrialRequest, TrialResult, no_progress
from sandbox.fake.sandbox import FakeSandbox
from tests.unit.toy import TRAIN, drive, fake, landscape, opened

MODEL = Model(
    name="openai/attacker",
    endpoint="http://127.0.0.1:9/v1",
    price_in=1.0,
    price_out=1.0,
    reply_tokens=1000,
)
HONEST = (
    "HYPOTHESIS: More units.\n<<<<<<< SEARCH\nHIDDEN = 32  # search: int 8 256\n=======\n"
    "HIDDEN = 64  # search: int 8 256\n>>>>>>> REPLACE\n"
)


class Replies(Client):
    """Gives these replies in order, and then the honest one; no provider is called."""

    def __init__(self, *replies: str) -> None:
        super().__init__(1.0)
        self.replies = list(replies)
        self.prompts: list[list[dict[str, str]]] = []

    def ask(self, ask: Ask, stopped: Callable[[], bool]) -> Answer:
        self.prompts.append(ask.messages)
        return Answer(text=self.replies.pop(0) if self.replies else HONEST)


class Injected:
    """A run with its model."""

    def __init__(self, run: Run, sandbox: FakeSandbox, client: Replies) -> None:
        self.run = run
        self.client = client
        self._sandbox = sandbox
        self._caller = Caller(run.folder, client)

    def drive(self, experiments: int) -> Halted:
        """Go on until so many are done."""
        self.run.limit(RunLimits(most_experiments=experiments))
        end = drive(self.run, self._sandbox, LLM(self._caller, "seed"))
        self._caller.wait()
        return end

    def settled(self) -> dict[str, object]:
        """All that no reply and no log may change: settings, limits, models, and every file."""
        ledger, root = self.run.ledger, self.run.folder.parents[1]
        row = ledger.run()
        assert row is not None
        files = {
            str(path.relative_to(root)): path.read_bytes()
            for path in root.rglob("*")
            if path.is_file() and ".git/" not in str(path) and not _moves(path)
        }
        limits = replace(row.limits, most_experiments=None)  # that one is the test's
        return {
            "run": replace(row, limits=limits),
            "models": ledger.models(),
            "wanted": ledger.wanted(),
            **files,
        }

    def check_decisions(self) -> None:
        """Each experiment's decision is the score's alone, and its commit's trailers say so."""
        best = landscape(self.run.ledger.candidate(0))
        for experiment in self.run.ledger.experiments()[1:]:
            score = landscape(self.run.ledger.candidate(experiment.number))
            kept = best - score > self.run.row.settings.min_gain
            assert experiment.score == score
            assert (experiment.decision is Decision.kept) == kept
            best = score if kept else best
            assert trailers(str(experiment.message)) == [
                f"Sealed-Run: {self.run.row.id}",
                f"Sealed-Experiment: {experiment.number}",
                f"Sealed-Agent: {experiment.agent}",
                "Sealed-Outcome: scored",
                f"Sealed-Score: {self.told(experiment.number)}",
                f"Sealed-Decision: {experiment.decision}",
            ]

    def told(self, number: int) -> str:
        """The score that an agent is told of an experiment."""
        seen = self.run.view().experiments[number]
        return f"{seen.score:.12g} {self.run.row.settings.metric}"


def _moves(path: Path) -> bool:
    """What a run changes itself: its ledger, its lock, and the champion's file."""
    return path.name.startswith(("ledger.sqlite", "train.py")) or path.suffix == ".lock"


def trailers(message: str) -> list[str]:
    """As git reads them."""
    found = subprocess.run(
        ["git", "interpret-trailers", "--parse"],
        input=message, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return found.stdout.splitlines()


class Loud(FakeSandbox):
    """All candidates but the baseline crash with this text, uncleaned, as their log and reason."""

    def __init__(self, text: str) -> None:
        super().__init__(landscape=landscape)
        self._text = text

    def run(self, request: TrialRequest, on_progress: OnProgress = no_progress) -> TrialResult:
        result = super().run(request, on_progress)
        if request.candidate == TRAIN:
            return result
        return replace(result, outcome=Outcome.crash, score=None, log=self._text, reason=self._text)


@contextmanager
def injected(*replies: str, sandbox: FakeSandbox | None = None) -> Iterator[Injected]:
    """A run of the toy task whose model gives these replies first."""
    sandbox = sandbox or fake()
    with opened(sandbox) as run:
        run.ledger.set_models([MODEL])
        yield Injected(run, sandbox, Replies(*replies))
