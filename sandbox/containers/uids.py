"""Pairs of unprivileged uids: each running container gets its own, for timer and program.

Limits of the kernel that count per uid are then never shared between containers.
"""

import secrets
import threading

LOWEST, HIGHEST = 20_000, 60_000
"""Within the 65,536 ids that a user namespace usually maps."""


class UidPairs:
    """Leases pairs (timer uid, program uid); thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._leased: set[int] = set()
        self._next = LOWEST + 2 * secrets.randbelow((HIGHEST - LOWEST) // 2)

    def lease(self) -> tuple[int, int]:
        """A pair that no running container of this sandbox has."""
        with self._lock:
            while self._next in self._leased:
                self._advance()
            timer = self._next
            self._leased.add(timer)
            self._advance()
        return timer, timer + 1

    def release(self, timer_uid: int) -> None:
        """Give a pair back, once its container is confirmed dead."""
        with self._lock:
            self._leased.discard(timer_uid)

    def is_leased(self, timer_uid: int) -> bool:
        """Whether a container of this sandbox has it, or may have."""
        with self._lock:
            return timer_uid in self._leased

    @property
    def leased(self) -> int:
        """How many pairs are out."""
        return len(self._leased)

    def _advance(self) -> None:
        self._next = self._next + 2 if self._next + 2 < HIGHEST else LOWEST
