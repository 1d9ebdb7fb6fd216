"""The loop as it is commonly built: the control arm of attacks that forge a score.

Agent code, data, evaluation and the printed score are in one process, and so is the clock. The
loop reads the score from the last line `score: …` of the output, and keeps a candidate unless it
is worse. It scores with the same `prepare.py` as the sealed arm, so that one attack runs against
both; only the checks of an answer and of a score, which the original has not, are left out.
"""

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.support.tasks import ROOT, TINY, load_module, prepared

BEST = 4.0
"""Score of the champion: about what the tiny task's own `train.py` gets."""

PROGRAM = """
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import sealed_task

sealed_task.Score = lambda values: SimpleNamespace(values=np.asarray(values))
import prepare
import train

here, budget = Path.cwd(), float(sys.argv[1])
artifact = here / "artifact"
artifact.mkdir(exist_ok=True)


class Predictors:
    def open(self):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def ask(self, question, expect):
        return answer(question)


began = time.monotonic()
train.train(here / "public", artifact, 0, budget)
if time.monotonic() - began > budget:
    sys.exit("the budget is spent")
answer = train.load(artifact)
print("score:", prepare.score(here / "sealed" / "held_out", Predictors()).values.mean())
"""


@dataclass(frozen=True)
class Naive:
    """What the loop made of one candidate."""

    score: float | None
    kept: bool
    seconds: float
    log: str


class NaiveLoop:
    """One run on the tiny task; its experiments share a folder, as they do in a working tree."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "prepare.py").write_text((TINY / "prepare.py").read_text())
        (folder / "run.py").write_text(PROGRAM)
        prepared(load_module(TINY / "prepare.py"), folder, salt=1)

    def run(self, candidate: str, budget: float = 10.0) -> Naive:
        """Run one candidate, read its score, decide."""
        (self._folder / "train.py").write_text(candidate)
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "run.py", str(budget)],
            cwd=self._folder,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "images" / "common")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=30,
            check=False,
        )
        log = done.stdout.decode(errors="replace")
        lines = re.findall(r"^score: (\S+)$", log, re.MULTILINE)
        score = float(lines[-1]) if lines and done.returncode == 0 else None
        kept = score is not None and not score >= BEST
        return Naive(score, kept, time.monotonic() - began, log)
