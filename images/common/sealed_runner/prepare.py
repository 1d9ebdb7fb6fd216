"""The prepare role's main process: run by the operator, once, never with agent code.

PREPARE: write the task's `prepare.py` into its volume, run it, hash what it made.
VERIFY: hash what is there, without a network and with every mount read-only.
"""

import importlib
import os
import shutil
import sys
import traceback
from pathlib import Path
from typing import Any

sys.path.append("/opt/sealed/lib")

import numpy as np

from sealed_runner import manifest
from sealed_runner.startup import TASK, add_task_to_path, open_protocol
from sealed_task import frames, values
from sealed_task.contract import Folders

PUBLIC = Path("/data/public")
SEALED = Path("/data/sealed")
ROOTS = {"public": PUBLIC, "sealed": SEALED, "task": Path(TASK)}
REASON_BYTES = 16 * 1024
CA_BUNDLE = Path("/tmp/ca-bundle.pem")  # noqa: S108  (the container's own tmpfs)


class Refused(Exception):
    """The task's `prepare` does not do what the contract asks; the message is for the operator."""


def main() -> None:
    """Answer one PREPARE or VERIFY."""
    requests, replies = open_protocol()
    frames.write(replies, frames.Kind.READY)
    kind, payload, _ = frames.read(requests)
    try:
        if kind == frames.Kind.PREPARE:
            _prepare(values.decode(payload))
        report: dict[str, Any] = {
            "files": [list(row) for row in manifest.full(ROOTS)],
            "quick": manifest.quick_digest({"public": PUBLIC, "sealed": SEALED}),
        }
    except Refused as refusal:
        frames.write(replies, frames.Kind.BROKEN, str(refusal).encode())
    except BaseException:
        text = traceback.format_exc().encode()[-REASON_BYTES:]
        frames.write(replies, frames.Kind.BROKEN, text)
    else:
        frames.write(replies, frames.Kind.PREPARED, values.encode(report))


def _prepare(order: Any) -> None:
    """Fill the four folders from nothing: what a stopped attempt left is removed."""
    os.umask(0o022)
    for folder in (PUBLIC, SEALED, Path(TASK)):
        for entry in folder.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    os.environ.update(order["environment"])
    if order["ca_bundle"]:
        CA_BUNDLE.write_text(order["ca_bundle"])
        for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT"):
            os.environ[name] = str(CA_BUNDLE)
    (Path(TASK) / "prepare.py").write_text(order["prepare"])
    add_task_to_path()
    task = importlib.import_module("prepare")
    for name in ("prepare", "score"):
        if not callable(getattr(task, name, None)):
            raise Refused(f"prepare.py defines no function `{name}`")
    to = Folders(PUBLIC / "train", PUBLIC / "rehearsal", SEALED / "held_out", SEALED / "vault")
    splits = {name: getattr(to, name) for name in ("train", "rehearsal", "held_out", "vault")}
    for folder in splits.values():
        folder.mkdir()
    task.prepare(to, np.random.default_rng(order["salt"].tolist()))
    for name, folder in splits.items():
        if not any(path.stat().st_size for _, path in manifest.files({name: folder})):
            raise Refused(
                f"`prepare` wrote nothing into {name}; each of the four splits needs data"
            )
    for root in (PUBLIC, SEALED):
        for path in root.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)


if __name__ == "__main__":
    main()
