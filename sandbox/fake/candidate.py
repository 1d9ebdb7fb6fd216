"""What a candidate comes to in the fake sandbox: its comments say it, and otherwise its hash.

    # fake: score=1.5 spread=0.1 seconds=0.5 rehearsal=1.4 memory=1000000
    # fake: outcome=crash reason="ValueError: no" log="epoch 1"
    # fake: wait=3 noise=0.1 later=crash caught=5

`noise` is the deviation of a trial's score between seeds, `later` the outcome of all trials but the
first, and `caught` the number of one that is dishonest; `spread` is the deviation of one example's
value from the score, over and above what all candidates share, so that comparisons have a standard
error; `wait` really waits, and can be cancelled.
"""

import math
import random
import re
import shlex

from sandbox.api import TrialRequest

EXAMPLES = 64
_DIRECTIVE = re.compile(r"^\s*# fake: (.*)$", re.MULTILINE)


def directives(candidate: str) -> dict[str, str]:
    """What its comments say, by name."""
    words = [word for line in _DIRECTIVE.findall(candidate) for word in shlex.split(line)]
    return dict(word.split("=", 1) for word in words)


def without_comments(candidate: str) -> str:
    """Its code: what the fake is told in comments is code, too."""
    lines = (
        (line if _DIRECTIVE.match(line) else line.split("#")[0]).rstrip()
        for line in candidate.splitlines()
    )
    return "\n".join(filter(None, lines))


def hashed_score(candidate: str) -> float:
    """Between 1 and 2, always the same for the same text."""
    return 1 + random.Random(candidate).random()


def values_of(request: TrialRequest, score: float, spread: float) -> list[float]:
    """One value an example with the mean `score`: examples differ alike for all candidates."""
    shared, own = random.Random(request.task), random.Random(request.candidate)
    values = [shared.gauss(0, 1) + spread * own.gauss(0, 1) for _ in range(EXAMPLES)]
    mean = math.fsum(values) / EXAMPLES
    return [score + value - mean for value in values]
