"""What a set of containers is started with, as one hash."""

from dataclasses import replace

import pytest

from sandbox import limits
from sandbox.api import Goal, TaskSettings
from sandbox.containers.sets import Plan, policy_hash
from sandbox.policy import Volumes

PLAN = Plan(
    instance="one",
    settings=TaskSettings(metric="bits", goal=Goal.minimize, budget_seconds=2),
    agent_image="sha256:1",
    scorer_image="sha256:2",
    volumes=Volumes(public="a", sealed="b", task="c"),
    data_digest="d",
    modules=(),
    runtime="",
    gpu="",
    cores="0",
    engine_cpus=2,
    engine_memory_mib=4096,
)


def test_trials_of_one_policy_have_one_hash() -> None:
    """Instance, volumes, images, cores and a candidate's imports are no policy."""
    other = replace(
        PLAN,
        instance="two",
        volumes=Volumes(public="x", sealed="y", task="z"),
        agent_image="sha256:3",
        cores="1",
        modules=("torch",),
    )
    assert policy_hash(other) == policy_hash(PLAN)


def test_a_weaker_policy_has_another_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory, runtime and GPU are in it, and each limit and system call of this version."""
    hashes = {
        policy_hash(PLAN),
        policy_hash(replace(PLAN, runtime="runsc")),
        policy_hash(replace(PLAN, gpu="GPU-1")),
        policy_hash(replace(PLAN, engine_memory_mib=512)),
    }
    monkeypatch.setattr(limits, "PIDS", limits.PIDS + 1)
    hashes.add(policy_hash(PLAN))
    monkeypatch.setattr("sandbox.policy.profile_json", lambda **_: "{}")
    hashes.add(policy_hash(PLAN))
    assert len(hashes) == 6
