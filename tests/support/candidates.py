"""Runs candidates against the real sandbox, and takes settings of the policy out.

The only place that can weaken a container: it replaces the policy's pure function by one whose
result is changed, in this process, for one test.
"""

import itertools
import os
from collections.abc import Callable
from typing import Any

import pytest

from sandbox import policy
from sandbox.api import Task, TrialRequest, TrialResult
from sandbox.policy import Order
from sandbox.service import Service

Spec = dict[str, Any]
Weaken = Callable[[Spec, Order], None]
"""Changes a spec of the engine's `create` call in place."""

_numbers = itertools.count()


class Bench:
    """One task, and candidates for it."""

    def __init__(self, service: Service, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
        self.service = service
        self.task = task
        self.patch = monkeypatch

    def run(self, candidate: str, task: Task | None = None) -> TrialResult:
        """Run a candidate under a key of its own."""
        key = f"test-{os.getpid()}-{next(_numbers)}"
        request = TrialRequest(key=key, task=(task or self.task).hash, candidate=candidate)
        return self.service.run(request)

    def weaken(self, change: Weaken) -> None:
        """From here to the end of the test, change every container's spec."""
        weaken(self.patch, change)


def weaken(patch: pytest.MonkeyPatch, change: Weaken) -> None:
    """From here to the end of the test, change every container's spec."""

    def weakened(order: Order) -> Spec:
        spec = policy.role_spec(order)
        change(spec, order)
        return spec

    patch.setattr("sandbox.containers.container.role_spec", weakened)
