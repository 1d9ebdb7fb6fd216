"""The contract of a task, as its `prepare.py` and `train.py` see it.

A task is three files. `program.md` says what to improve; `train.py` is the only file an agent
changes; `prepare.py` makes the data and scores, and no agent ever runs in its process:

    # prepare.py
    def prepare(to: Folders, rng: numpy.random.Generator) -> None: ...
    def score(data: Path, predictors: Predictors) -> Score: ...

    # train.py
    def train(data: Path, artifact: Path, seed: int, seconds: float) -> None: ...
    def load(artifact: Path) -> Callable[[Value], Value]: ...

This package is in every role image and needs numpy alone. What the scorer meets of a candidate
is answers to its own questions (`Predictor.ask`), of a type, shape and size that it fixed before.
"""

from sealed_task.contract import Dishonest, Folders, Invalid, Score
from sealed_task.expect import Array, Expect, Text, expected
from sealed_task.influence import ratio_values, spread_values
from sealed_task.packages import package_file
from sealed_task.predictors import Predictor, Predictors
from sealed_task.rooms import Audit, two_rooms
from sealed_task.values import Value

__all__ = [
    "Array",
    "Audit",
    "Dishonest",
    "Expect",
    "Folders",
    "Invalid",
    "Predictor",
    "Predictors",
    "Score",
    "Text",
    "Value",
    "expected",
    "package_file",
    "ratio_values",
    "spread_values",
    "two_rooms",
]
