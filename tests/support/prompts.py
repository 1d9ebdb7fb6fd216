"""The task `tasks/prompt` for tests: whole, or with so few texts that a trial takes seconds."""

from msgspec.structs import replace

from sandbox.api import TaskFiles
from tests.support.files import task_files
from tests.support.tasks import ROOT

PROMPT = ROOT / "tasks" / "prompt"
PREPARE = (PROMPT / "prepare.py").read_text()
SHARES = 'SHARES = {"train": 1200, "rehearsal": 60, "held_out": 300, "vault": 300}'
FEW = 'SHARES = {"train": 20, "rehearsal": 4, "held_out": 40, "vault": 20}'


def whole_task() -> TaskFiles:
    """As it is shipped, with the image of its scorer."""
    return task_files(PROMPT, scorer_dockerfile=(PROMPT / "Dockerfile.scorer").read_text())


DEALT = """

_deal = prepare


def prepare(to: Folders, rng: np.random.Generator) -> None:
    \"\"\"The same deal each time.\"\"\"
    _deal(to, np.random.default_rng(5))
"""


def few_texts(score: str = "") -> TaskFiles:
    """With few texts, and with another `score` after the task's own one.

    How well so small a model recites four texts hangs on which four they are (0.06 to 0.8 bits),
    so the deal is one that it recites, and each figure comes out the same again.
    """
    assert SHARES in PREPARE
    return replace(whole_task(), prepare=PREPARE.replace(SHARES, FEW) + DEALT + score)
