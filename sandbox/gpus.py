"""GPUs: which there are, and who has one. A trial leases one by UUID, for all its roles."""

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

from sandbox.errors import TooFewResources

_UUID = re.compile(r"GPU-[0-9a-f-]{36}|MIG-[0-9a-f-]{36}")
_NEXT = (
    "Install the NVIDIA driver and container toolkit, name GPUs in SEALED_GPUS, "
    "or set `gpus: 0` or `gpus: auto` in program.md."
)


def parse_listing(text: str) -> list[str]:
    """UUIDs out of `nvidia-smi --list-gpus`, in its order."""
    return _UUID.findall(text)


class Gpus:
    """The GPUs of this sandbox; each is with one trial at a time."""

    def __init__(self, uuids: Sequence[str]) -> None:
        self.uuids = list(uuids)
        self._free = list(uuids)
        self._changed = threading.Condition()

    def check(self, wanted: int | Literal["auto"]) -> None:
        """Raise `TooFewResources` if a task wants a GPU and there is none."""
        if wanted == 1 and not self.uuids:
            raise TooFewResources("The task wants a GPU, and the engine has none.", _NEXT)

    @contextmanager
    def lease(self, wanted: int | Literal["auto"]) -> Iterator[str]:
        """A GPU's UUID while the trial lasts, waiting for one; empty for the CPU."""
        self.check(wanted)
        if not wanted or not self.uuids:
            yield ""
            return
        with self._changed:
            self._changed.wait_for(lambda: bool(self._free))
            uuid = self._free.pop(0)
        try:
            yield uuid
        finally:
            with self._changed:
                self._free.append(uuid)
                self._changed.notify()
