"""What an agent keeps of the experiments of its run, so that each is read once."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from controller.visible import Seen, View

T = TypeVar("T")


class Remembered(Generic[T]):
    """One thing for each experiment of a view that grows."""

    def __init__(self, keep: Callable[[Seen], T]) -> None:
        self._keep = keep
        self._kept: list[T] = []
        self._champion = 0

    def of(self, view: View) -> Sequence[T]:
        """By number, the baseline first."""
        fallen = view.champion.number < self._champion  # a champion: what was told of it changed
        self._champion = view.champion.number
        if fallen or len(view.experiments) < len(self._kept):  # or it is of another run
            self._kept = []
        self._kept += [self._keep(seen) for seen in view.experiments[len(self._kept) :]]
        return tuple(self._kept)
