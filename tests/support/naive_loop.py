"""The loop as it is commonly built: the control arm of attacks that forge a score, and of others.

Agent code, data, evaluation, the printed score and the clock are in one process. It runs in a
container as a candidate does, and its program is `controller/selftest/naive_loop.py`.
"""

from controller.selftest import Selftest
from controller.selftest.arms import gains
from sandbox.service import Service
from tests.support.attacks import ATTACKS


class NaiveLoop:
    """Runs attacks of the catalogue in such a loop, each in one of its own."""

    def __init__(self, service: Service) -> None:
        self._selftest = Selftest(service)

    def gain(self, name: str) -> str:
        """What the attack gains there, by its own canaries; empty: nothing."""
        return gains(ATTACKS[name], self._selftest.looped(ATTACKS[name]))
