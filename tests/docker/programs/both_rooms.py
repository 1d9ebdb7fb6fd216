"""Inside the agent image: train the text task's baseline for a few steps, and ask it as scorers do.

Prints JSON: bits a byte of the claims, the largest gap to the blind prices in nats, and what
was written. The clock ticks once a look, so that a busy machine changes nothing.
"""

import json
import sys
from itertools import count
from pathlib import Path
from types import SimpleNamespace

sys.path.append("/opt/sealed/lib")
sys.path.append("/task")

import numpy as np
import train as baseline

LENGTH = 512
ENDS = (0, 1, 63, 64, 65, 100, LENGTH - 1)


def main(steps: int) -> None:
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("aeioulnrst"), rng.integers(3, 9))) for _ in range(400)]
    text = np.frombuffer(" ".join(rng.choice(words, 60_000)).encode(), np.uint8)
    data, artifact = Path("/tmp/data"), Path("/tmp/artifact")
    for folder in (data / "train", artifact):
        folder.mkdir(parents=True)
    np.save(data / "train" / "text.npy", text[: 32 * LENGTH])
    windows = text[-32 * LENGTH :].reshape(32, LENGTH)

    ticks = count()
    baseline.time = SimpleNamespace(monotonic=lambda: next(ticks))
    baseline.train(data, artifact, 0, steps / baseline.TIME_SHARE)
    answer = baseline.load(artifact)

    claims = answer({"room": "whole", "windows": windows})
    gap, dtypes = 0.0, [str(claims.dtype)]
    for end in ENDS:
        logits = answer({"room": "blind", "prefixes": [window[:end] for window in windows]})
        exact = logits.astype(np.float64)
        exact -= exact.max(axis=1, keepdims=True)
        totals = np.log(np.exp(exact).sum(axis=1))
        prices = totals - exact[np.arange(len(windows)), windows[:, end]]
        gap = max(gap, float(np.abs(prices - claims[:, end]).max()))
    dtypes.append(str(logits.dtype))
    files = sorted(path.name for path in artifact.iterdir())
    bits = float(claims.mean() / np.log(2))
    print(json.dumps({"bits": bits, "gap": gap, "dtypes": dtypes, "files": files}))


main(int(sys.argv[1]))
