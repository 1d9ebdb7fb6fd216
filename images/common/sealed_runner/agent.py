"""Trainer and predictor: the one `exec` of a container that runs agent code.

Started as `python -I -B agent.py trainer|predictor [module …]`, with the modules to import
before the clock runs. Then, in this order: private descriptors, READY, and a wait for the first
frame, which is the candidate. From its first byte on, nothing in this process can be trusted and
nothing needs to be: the sandbox owns the clock, the scorer owns the questions.
"""

import importlib
import linecache
import os
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO, NoReturn

sys.path.append("/opt/sealed/lib")

import numpy as np  # noqa: F401  (imported here so that the candidate finds it warm)

from sealed_runner.startup import add_task_to_path, open_protocol
from sealed_task import frames, values
from sealed_task.contract import Invalid
from sealed_task.expect import from_plain, set_expected

CANDIDATE_FRAME_BYTES = 1 << 20


class Refused(Exception):
    """The candidate is no `train.py`; the message is for the agent."""


def main(role: str, modules: list[str]) -> NoReturn:
    """Run one candidate in this role. Never returns: the process ends here."""
    for module in modules:
        importlib.import_module(module)
    if role == "trainer" and "torch" in modules:
        # Every optimizer of torch imports it when it is made: a second and more of the budget.
        importlib.import_module("torch._dynamo")
    add_task_to_path()
    requests, replies = open_protocol()
    frames.write(replies, frames.Kind.READY)
    _, payload, _ = frames.read(requests, CANDIDATE_FRAME_BYTES)
    order: Any = values.decode(payload)
    status = 1
    try:
        candidate = _define(order["source"])
        if role == "trainer":
            _train(candidate, order, replies)
        else:
            _answer(candidate, order, requests, replies)
        status = 0
    except Refused as refusal:
        print(refusal, file=sys.stderr)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException as fault:
        _print_candidate_traceback(fault)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status & 0xFF)


def _define(source: str) -> ModuleType:
    """Execute the candidate as the module `train`."""
    module = ModuleType("train")
    module.__file__ = "train.py"
    sys.modules["train"] = module
    linecache.cache["train.py"] = (len(source), None, source.splitlines(keepends=True), "train.py")
    exec(compile(source, "train.py", "exec"), module.__dict__)
    for name in ("train", "load"):
        if not callable(getattr(module, name, None)):
            raise Refused(f"train.py defines no function `{name}`; see tasks/README.md")
    return module


def _train(candidate: ModuleType, order: Any, replies: BinaryIO) -> None:
    os.umask(0o022)
    candidate.train(
        Path(order["data"]), Path(order["artifact"]), int(order["seed"]), float(order["seconds"])
    )
    frames.write(replies, frames.Kind.DONE)


def _answer(candidate: ModuleType, order: Any, requests: BinaryIO, replies: BinaryIO) -> None:
    answer = candidate.load(Path(order["artifact"]))
    if not callable(answer):
        raise Refused(f"`load` returned a {type(answer).__name__}; it must return a function")
    frames.write(replies, frames.Kind.LOADED)
    while True:
        try:
            _, payload, nonce = frames.read(requests)
        except EOFError:
            return
        question: Any = values.decode(payload)
        expect = from_plain(question[0])
        set_expected(expect)
        try:
            data = expect.pack(answer(question[1]))
        except Invalid as fault:
            frames.write(replies, frames.Kind.FAULT, str(fault).encode()[:4096], nonce)
            raise Refused(str(fault)) from None
        frames.write(replies, frames.Kind.ANSWER, data, nonce)


def _print_candidate_traceback(fault: BaseException) -> None:
    """The traceback from the candidate's own first frame on: ours above it help nobody."""
    trace = fault.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    traceback.print_exception(type(fault), fault, trace)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
