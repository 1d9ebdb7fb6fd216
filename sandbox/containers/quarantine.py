"""What could not be removed, asked again until it is; and the CPUs and GPU that it keeps meanwhile.

A container that does not die puts its slot into quarantine: nobody else runs on its CPUs or its
GPU. Nothing waits for it but who finds no other place; and once its death is confirmed, all is
given back without a person.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from sandbox import limits

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Kept:
    remove: Callable[[], None]
    cores: frozenset[int]
    freed: Callable[[], None]
    why: str


class Quarantine:
    """The machine's cores, less those of what does not die; thread-safe."""

    def __init__(self, cpus: int) -> None:
        """`cpus`: how many the engine has."""
        self._cpus = cpus
        self._lock = threading.Lock()
        self._kept: list[_Kept] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="quarantine", daemon=True)
        self._thread.start()

    def admit(
        self,
        remove: Callable[[], None],
        why: str,
        cores: frozenset[int] = frozenset(),
        freed: Callable[[], None] = lambda: None,
    ) -> None:
        """Keep `cores` until `remove` raises nothing; then `freed` is called."""
        log.warning("in quarantine", why=why, cores=sorted(cores))
        with self._lock:
            self._kept.append(_Kept(remove, cores, freed, why))

    def cores(self, cpus: float) -> frozenset[int] | None:
        """The highest cores that are free, as many as `cpus` needs; None: too few are."""
        with self._lock:
            kept = frozenset[int]().union(*(entry.cores for entry in self._kept))
        count = max(1, min(self._cpus, int(-(-cpus // 1))))
        free = [core for core in range(self._cpus) if core not in kept]
        return frozenset(free[-count:]) if len(free) >= count else None

    @property
    def why(self) -> str:
        """Why cores are missing; empty: none is."""
        with self._lock:
            return "; ".join(entry.why for entry in self._kept if entry.cores)

    def stop(self) -> None:
        """End the thread; what is kept is left to the reaper."""
        self._stop.set()
        self._thread.join(limits.ENGINE_CALL)

    def _run(self) -> None:
        while not self._stop.wait(limits.QUARANTINE):
            with self._lock:
                kept = list(self._kept)
            for entry in kept:
                try:
                    entry.remove()
                except Exception as fault:
                    log.warning("still in quarantine", why=entry.why, fault=str(fault))
                    continue
                with self._lock:
                    self._kept.remove(entry)
                entry.freed()
                log.info("out of quarantine", why=entry.why)


def notation(cores: frozenset[int]) -> str:
    """Cores as the kernel writes a set of them."""
    return ",".join(map(str, sorted(cores)))


def cores_of(cpuset: str) -> frozenset[int]:
    """The cores that the kernel's notation names."""
    ranges = [part.partition("-") for part in cpuset.split(",") if part]
    return frozenset(n for low, _, high in ranges for n in range(int(low), int(high or low) + 1))
