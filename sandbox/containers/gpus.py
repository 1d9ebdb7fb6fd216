"""GPUs: which there are, and who has one. A trial leases one by UUID, for all its roles."""

import re
import threading
from collections import Counter
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
    """The GPUs of this sandbox; each is with one trial at a time, or with what does not die."""

    def __init__(self, uuids: Sequence[str]) -> None:
        self.uuids = list(uuids)
        self._free = list(uuids)
        self._holders: Counter[str] = Counter()
        self._changed = threading.Condition()

    def check(self, wanted: int | Literal["auto"]) -> None:
        """Raise `TooFewResources` if a task wants a GPU and there is none."""
        if wanted == 1 and not self.uuids:
            raise TooFewResources("The task wants a GPU, and the engine has none.", _NEXT)

    def available(self, wanted: int | Literal["auto"]) -> bool:
        """Whether `lease` would not wait."""
        with self._changed:
            return not wanted or not self.uuids or bool(self._free)

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
        self.hold(uuid)
        try:
            yield uuid
        finally:
            self.let_go(uuid)

    def hold(self, uuid: str) -> None:
        """One more reason not to give out a GPU that is leased; none for the CPU."""
        with self._changed:
            self._holders[uuid] += 1

    def let_go(self, uuid: str) -> None:
        """One reason less; with the last one it is free."""
        with self._changed:
            self._holders[uuid] -= 1
            if uuid and not self._holders[uuid]:
                self._free.append(uuid)
                self._changed.notify()
