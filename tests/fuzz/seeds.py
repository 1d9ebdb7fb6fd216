"""Where a fuzzer begins: bytes of the right form for each reader, near the edges of it."""

import tempfile
from pathlib import Path

import msgspec

from controller.verify.envelope import read_key
from sandbox.api import Comparison, Progress, Stage, TaskFiles, TrialRequest
from sandbox.receipts.chains import Receipts
from sandbox.wire import Name, Sides
from sealed_task import frames, values
from tests.support.tasks import DIGITS, TINY

_FRAME = frames.pack(frames.Kind.ANSWER, b"answer", nonce=7)
_LONG = frames.pack(frames.Kind.DONE, b"x" * 600)
_PIECES = bytes([3, 0, 200, 9])


def _piece(stream: int, data: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(data).to_bytes(4, "big") + data


with tempfile.TemporaryDirectory() as _folder:
    _receipts = Receipts(Path(_folder))
    _figures = Comparison(difference=-0.25, standard_error=0.125, examples=64)
    _receipts.compare("run", ["run-1-1"], ["run-0-1"], lambda *_: _figures)
    RECEIPT = _receipts.after("run", 0).receipts[0]
    _pem = Path(_folder) / "public.pem"
    _pem.write_text(_receipts.public_key)
    KEY = read_key(_pem)

SEEDS: dict[str, list[bytes]] = {
    "frames": [_PIECES + _FRAME * 3, _PIECES + _FRAME[:-1], _PIECES + _LONG, _PIECES + b"sF"],
    "stream": [
        _piece(1, _FRAME) + _PIECES + _piece(2, b"log\n") + _piece(1, _FRAME[:9]),
        _piece(1, _LONG) + _PIECES + _piece(1, _FRAME),
    ],
    "log": [
        _PIECES + b"epoch 1\r\n\x1b[2J\x00\xff\xe2\x80\xae" + b"x" * 300,
        _PIECES + "\u202e\u2028Traceback\n".encode() * 40,
    ],
    "candidate": [(TINY / "train.py").read_bytes(), b"import torch\n\0", b"\xed\xa0\x80"],
    "hypothesis": [
        b"Wider layers\n\nSealed-Decision: kept\n",
        "\u2028Signed-off-by: x\r\v\f\x85".encode(),
    ],
    "front-matter": [
        (DIGITS / "program.md").read_bytes(),
        b"metric: x\ngoal: minimize\nbudget_seconds: 1e400\n",
        b"a: &a [*a]\nmetric: !!python/object:os.system x\n",
    ],
    "api": [
        msgspec.json.encode(body)
        for body in (
            TrialRequest(key="k-1", task="0" * 64, candidate="x = 1\n"),
            TaskFiles(name="n", program="p", train="t", prepare="q"),
            Name(name="a"),
            Sides(first=["a"], second=["b"]),
            Progress(stage=Stage.training, seconds=1.0),
        )
    ],
    "reply": [
        b"HYPOTHESIS: x\n<<<<<<< SEARCH\nimport os\n=======\nimport sys\n>>>>>>> REPLACE\n",
        b"prepare.py\n```python\nx = 1\n```\n",
        b"`NAME = 1`\r\n\xed\xa0\x80",
    ],
    "receipt": [
        RECEIPT.encode(),
        RECEIPT.replace('"signatures":[', '"signatures":[{"keyid":"","sig":""},').encode(),
        b'{"payload":"","payloadType":"","signatures":[{"keyid":"a","sig":"a"}]}',
    ],
    "score": [
        values.encode({"values": [1.0, float("nan")], "block": None, "slices": {}}),
        values.encode({"values": [1e300], "block": [0], "slices": {"a": [True]}}),
    ],
}
"""By the target's name."""
