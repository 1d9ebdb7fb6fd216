"""Candidates of the tiny task, drawn by a seed: most are honest and quick, some are a nuisance."""

import random
from pathlib import Path

from tests.support.tasks import TINY

_BEGINS = "    x = np.load"
_ENDS = '(artifact / "partial.npy").replace(artifact / "weights.npy")\n'
_ANSWERS = "SCALE * (x @ weights[:2] + weights[2])"
_FORKS = """\
    import os, time
    for _ in range(3):
        if os.fork() == 0:
            os.setsid()
            time.sleep(60)
"""
_NUISANCES = {
    "lasts to the budget": (_ENDS, f"{_ENDS}    import time; time.sleep(60)\n"),
    "crashes": (_BEGINS, f'    raise ValueError("no")\n{_BEGINS}'),
    "floods its log": (_BEGINS, f'    print("flood\\n" * 100_000)\n{_BEGINS}'),
    "leaves children": (_BEGINS, _FORKS + _BEGINS),
    "takes all memory": (_BEGINS, f"    hog = [b'1' * 2**20 for _ in range(1000)]\n{_BEGINS}"),
    "answers nonsense": (_ANSWERS, "SCALE * x"),
}
_QUICK_SHARE = 0.75


def candidate(rng: random.Random, number: int) -> str:
    """The text of one; no two numbers have the same."""
    text = (TINY / "train.py").read_text()
    kind = "quick" if rng.random() < _QUICK_SHARE else rng.choice(list(_NUISANCES))
    changes = [("SCALE = 0.5", f"SCALE = {rng.uniform(0.25, 4.0):.6f}")]
    if kind in _NUISANCES:
        changes.append(_NUISANCES[kind])
    for before, after in changes:
        assert before in text
        text = text.replace(before, after, 1)
    return f'"""{number}: {kind}."""\n{text.partition(chr(10))[2]}'


def write_candidates(folder: Path, seed: int, count: int) -> None:
    """Put them into a folder, for a replay."""
    rng = random.Random(seed)
    folder.mkdir()
    for number in range(1, count + 1):
        (folder / f"{number:06}.py").write_text(candidate(rng, number))
