"""Attacks on the user's own sandbox: each must gain nothing, and beside it stands what it gains
where candidate, evaluation and score share a process.

`catalogue` reads the attacks, `canary` tells whether one has gained, `arms` runs them, `loop` has
the loop as it is commonly built, and `naive_loop` is its program, which runs in containers alone.
"""

from controller.selftest.arms import Item, Selftest
from controller.selftest.catalogue import Attack, Control, Group, chosen, read_attacks

__all__ = ["Attack", "Control", "Group", "Item", "Selftest", "chosen", "read_attacks"]
