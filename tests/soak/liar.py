"""Lies of an engine at random: every so often a request is refused, dropped, garbled, or late."""

import random
import socket
import threading
from collections import Counter

from tests.support.lying_engine import (
    Lie,
    LyingEngine,
    babble,
    delayed,
    drop,
    hang,
    honest,
    refuse,
    truncated,
)

_SHARE = 0.004
"""Of the requests; a trial makes about a hundred."""
_LIES: dict[str, tuple[int, Lie]] = {
    "answers 500": (10, refuse),
    "drops": (10, drop),
    "babbles": (10, babble),
    "is late": (10, delayed(0.5)),
    "breaks off in the head": (10, truncated(9)),
    "breaks off in the body": (10, truncated(300)),
    "hangs": (1, hang),
}
"""Weight and lie; a call that hangs costs its whole deadline."""
_STREAMS = (b"/attach", b"/start")
"""A stream that breaks off in the middle is a candidate's loss, and no test of ours."""


class Liar:
    """Tells the lies of a seed, while it is told to; thread-safe."""

    def __init__(self, proxy: LyingEngine, seed: int) -> None:
        self.told: Counter[str] = Counter()
        """How often which lie was told."""
        self.lying = False
        self._rng = random.Random(seed)
        self._lock = threading.Lock()
        proxy.tell("", self._answer)

    def _answer(self, client: socket.socket, engine: socket.socket, head: bytes) -> None:
        with self._lock:
            name = "" if not self.lying or self._rng.random() > _SHARE else self._choose()
            if name == "breaks off in the body" and any(part in head for part in _STREAMS):
                name = "drops"
            if name:
                self.told[name] += 1
        lie = _LIES[name][1] if name else honest
        lie(client, engine, head)

    def _choose(self) -> str:
        names = list(_LIES)
        return self._rng.choices(names, [_LIES[name][0] for name in names])[0]
