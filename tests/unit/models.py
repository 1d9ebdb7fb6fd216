"""Runs of the toy task whose candidates a scripted model proposes, driven as the driver does."""

from collections.abc import Iterator
from contextlib import contextmanager

from controller.agents.llm import LLM
from controller.halting import Halted
from controller.ledger import Model, RunLimits
from controller.llm.caller import Caller
from controller.llm.client import Client
from controller.run import Run
from sandbox.fake.sandbox import FakeSandbox
from tests.support.scripted_llm import PRICE_IN, PRICE_OUT, Scene, ScriptedLLM, edit, scripted
from tests.unit.toy import Watched, drive, fake, opened

KEY = "sk-canary-0123456789abcdef"
REPLY_TOKENS = 2000

BETTER = edit(
    "LEARNING_RATE = 3e-3  # search: log 1e-4 1e-1",
    "LEARNING_RATE = 6e-3  # search: log 1e-4 1e-1",
    "A larger step learns faster.",
)
WIDER = edit("HIDDEN = 32  # search: int 8 256", "HIDDEN = 64  # search: int 8 256", "More units.")
GELU = edit(
    'ACTIVATION = "relu"  # search: choice relu gelu tanh',
    'ACTIVATION = "gelu"  # search: choice relu gelu tanh',
    "Smoother.",
)


def model(endpoint: str) -> Model:
    """The scripted model, with its price."""
    return Model(
        name="openai/scripted",
        endpoint=endpoint,
        price_in=PRICE_IN,
        price_out=PRICE_OUT,
        reply_tokens=REPLY_TOKENS,
    )


class Played:
    """A run, its server, and what drives it."""

    def __init__(self, run: Run, server: ScriptedLLM, sandbox: FakeSandbox, client: Client) -> None:
        self.run = run
        self.server = server
        self.sandbox = sandbox
        self.watched = Watched()
        self.caller = Caller(run.folder, client)

    def drive(self, experiments: int | None = None, **limits: float | int) -> Halted:
        """Go on until it halts, and until nothing is asked any more."""
        self.run.limit(RunLimits(most_experiments=experiments, **limits))
        agent = LLM(self.caller, "seed")
        end = drive(self.run, self.sandbox, agent, self.watched)
        self.caller.wait()
        return end

    def agrees(self) -> bool:
        """Whether the ledger counts, to the unit, what was served."""
        spent, books = self.run.ledger.spending(), self.server.books
        return (spent.calls, spent.tokens, spent.nanodollars) == (
            books.calls,
            books.tokens,
            books.nanodollars,
        )


@contextmanager
def playing(client: Client, *scenes: Scene) -> Iterator[Played]:
    """A run of the toy task with this script."""
    sandbox = fake()
    with scripted(*scenes) as server, opened(sandbox) as run:
        run.ledger.set_models([model(server.url)])
        yield Played(run, server, sandbox, client)
