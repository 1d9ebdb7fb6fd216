"""The benchmark as it is commonly built: the control arm of attacks on a speed task.

Candidate, baseline and timer are in one process. A question is put three times, the best time
counts, the clock runs around the call alone, and answers are compared when all is over.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.support.tasks import ROOT

PROGRAM = """
import json
import sys
import time
from pathlib import Path
from types import ModuleType

import numpy as np


def loaded(file):
    module = ModuleType(file)
    exec(compile(Path(file).read_text(), file, "exec"), module.__dict__)
    module.train(None, Path("."), 0, 1.0)
    return module.load(Path("."))


def timed(function, pairs):
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        answer = function(pairs)
        best = min(best, time.perf_counter() - began)
    return answer, best


candidate, baseline = loaded("train.py"), loaded("baseline.py")
questions = json.loads(Path("questions.json").read_text())
answers, gains = [], []
for pairs, _ in questions:
    answer, seconds = timed(candidate, pairs)
    answers.append(answer)
    gains.append(np.log2(timed(baseline, pairs)[1] / seconds))
time.sleep(0.2)
for (pairs, right), answer in zip(questions, answers):
    assert np.array_equal(np.asarray(answer), right)
print("gain:", np.mean(gains), flush=True)
"""


def naive_gain(folder: Path, candidate: str, baseline: str, questions: list[object]) -> float:
    """log2 speedup of the candidate as such a timer has it; `questions` are pairs and distances."""
    (folder / "train.py").write_text(candidate)
    (folder / "baseline.py").write_text(baseline)
    (folder / "questions.json").write_text(json.dumps(questions))
    (folder / "run.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "run.py"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "images" / "common")},
        capture_output=True,
        timeout=60,
        check=True,
    )
    return float(np.float64(done.stdout.decode().rsplit("gain:", 1)[1]))
