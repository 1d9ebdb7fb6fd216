"""`python -m tests.bench.prompt`: what a prompt costs after so many experiments of one real run.

Milliseconds of `Run.view()` and of the prompt as the agent makes it: the first in a process, when
it reads the run, and the median of the next; and the prompt's letters. The run has a ledger and a
repository on disk, and candidates as long as those of `tasks/text`.
"""

import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import TypeVar

from msgspec.structs import replace

from controller.agents.replay import Replay
from controller.candidate import Candidate
from controller.llm.chat import Message, Standing
from controller.llm.context import messages
from controller.llm.past import Memory
from controller.visible import View
from tests.unit.toy import drive, fake, opened

T = TypeVar("T")
EXPERIMENTS = (200, 5000)
AGAIN = 9
SOURCE = (Path(__file__).parents[2] / "tasks" / "text" / "train.py").read_text()


def proposals(count: int) -> list[Candidate]:
    """Candidates of which one in fifty is better than all before, and one in three fails."""
    found, score = [], -100.0  # better than the baseline
    for number in range(1, count + 1):
        score -= number % 50 == 1
        told = "outcome=crash reason=why log=line" if number % 3 == 0 else f"score={score}"
        source = f"{SOURCE}\nSETTING_{number % 40:02} = 1{number:04}\n# fake: {told}\n"
        found.append(Candidate(source=source, hypothesis=f"{number:05} " + "because " * 100))
    return found


def timed(act: Callable[[], T]) -> tuple[float, T]:
    """Milliseconds of it, and what it gives."""
    began = time.perf_counter()
    found = act()
    return 1000 * (time.perf_counter() - began), found


def prompt(memory: Memory, view: View) -> list[Message]:
    """What the agent does for each proposal."""
    return messages(view, memory.of(view), Standing())


def main() -> None:
    """Print a line for each number of experiments."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SEALED_RUNS"] = folder
        sandbox, agent = fake(), Replay(proposals(max(EXPERIMENTS)))
        for most in EXPERIMENTS:
            with opened(sandbox) as run:
                run.limit(replace(run.row.limits, most_experiments=most))
                drive(run, sandbox, agent)
            with opened(sandbox) as run:
                first, _ = timed(run.view)
                again, view = timed(run.view)
                memory = Memory()
                act = partial(prompt, memory, view)
                (cold, told), *later = [timed(act) for _ in range(1 + AGAIN)]
                warm = median(milliseconds for milliseconds, _ in later)
            print(
                f"{most:>5} experiments: view {first:.1f} ms, then {again:.1f} ms; "
                f"prompt {cold:.1f} ms, then {warm:.1f} ms, "
                f"{sum(len(message.content) for message in told)} letters"
            )


if __name__ == "__main__":
    main()
