"""The scorer's main process: no agent code ever runs here.

It imports the task's `prepare.py`, says READY with a digest of the data as it finds it, and then
scores one split after another, as the sandbox asks. It reads no file that agent code wrote: what
it knows of a candidate is the answers to `score`'s own questions.
"""

import importlib
import sys
import traceback
from pathlib import Path
from typing import Any, BinaryIO

sys.path.append("/opt/sealed/lib")

from sealed_runner.manifest import quick_digest
from sealed_runner.startup import add_task_to_path, open_protocol
from sealed_task import frames, values
from sealed_task.contract import Dishonest, Invalid, Score
from sealed_task.predictors import Predictors

PUBLIC = Path("/data/public")
SEALED = Path("/data/sealed")
FOLDERS = {
    "rehearsal": PUBLIC / "rehearsal",
    "held_out": SEALED / "held_out",
    "vault": SEALED / "vault",
}
REASON_BYTES = 16 * 1024


def main() -> None:
    """Score splits until the sandbox closes the stream."""
    requests, replies = open_protocol()
    add_task_to_path()
    digest = quick_digest({"public": PUBLIC, "sealed": SEALED})
    task = importlib.import_module("prepare")
    frames.write(replies, frames.Kind.READY, digest.encode())
    while True:
        try:
            _, payload, _ = frames.read(requests)
        except EOFError:
            return
        kind, answer = _score(task, payload.decode(), replies, requests)
        frames.write(replies, kind, answer)


def _score(
    task: Any, split: str, replies: BinaryIO, requests: BinaryIO
) -> tuple[frames.Kind, bytes]:
    try:
        score = task.score(FOLDERS[split], Predictors(replies, requests))
        if not isinstance(score, Score):
            raise TypeError(f"`score` returned a {type(score).__name__}, not a sealed_task.Score")
    except Invalid as fault:
        return frames.Kind.INVALID, str(fault).encode()[:REASON_BYTES]
    except Dishonest as fault:
        return frames.Kind.DISHONEST, str(fault).encode()[:REASON_BYTES]
    except Exception:
        return frames.Kind.BROKEN, traceback.format_exc().encode()[-REASON_BYTES:]
    plain: dict[str, Any] = {
        "values": score.values,
        "block": score.block,
        "slices": dict(score.slices),
    }
    return frames.Kind.SCORE, values.encode(plain)


if __name__ == "__main__":
    main()
