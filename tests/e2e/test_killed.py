"""The whole stack, killed again and again in the middle of a run."""

import json
import random
import time
from collections.abc import Callable

import pytest

from tests.e2e.stack import Stack, docker, until

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(1200)]

KILLS = 10
EXPERIMENTS = 20


def test_ten_kills_in_twenty_experiments_lose_and_double_nothing(
    make_stack: Callable[..., Stack],
) -> None:
    """Every experiment is there once, decided, and the history of git says the same."""
    stack = make_stack(SEALED_EXPERIMENTS=str(EXPERIMENTS))
    chance = random.Random(time.time_ns())
    seen: dict[int, dict[str, object]] = {}
    stack.up()
    # Once while the task is half prepared, too: there is no run yet then.
    until(lambda: (stack.page().get("serving") or {}).get("stage"), 60, "nothing is prepared")
    assert not stack.shown()
    stack.compose("kill")
    stack.up()
    until(lambda: stack.shown().get("baseline") is not None, 180, "no baseline")
    for _ in range(KILLS):
        time.sleep(chance.uniform(0.5, 6))
        stack.compose("kill")
        stack.up()
        until(stack.page, 60, "no page")
        for item in stack.sealed("experiment", "list")["items"]:
            if item["state"] == "recorded":
                assert seen.setdefault(item["number"], item) == item
    until(lambda: stack.shown().get("experiments") == EXPERIMENTS, 600, "it did not end")
    until(lambda: not stack.shown()["driven"], 60, "it did not halt")
    items = stack.sealed("experiment", "list")["items"]
    assert [item["number"] for item in items] == list(range(EXPERIMENTS + 1))
    assert {item["state"] for item in items} == {"recorded"}
    for number, item in seen.items():
        assert items[number] == item
    assert len(stack.page("/runs.json")["items"]) == 1
    references = docker(
        "run", "--rm", "--network=none", "--user=10001", "--entrypoint=git",
        f"--volume={stack.project}_runs:/runs:ro", "sealed-controller",
        "-C", "/runs/tiny-1/repository", "for-each-ref", "--format=%(refname)", "refs/experiments",
    ).split()  # fmt: skip
    numbers = sorted(int(name.rpartition("/")[2]) for name in references)
    assert numbers == list(range(EXPERIMENTS + 1))
    # The sandbox has one finished trial for each, with the very score that the ledger has.
    for item in items:
        record = json.loads(stack.state("cat", f"trials/{item['trial_key']}.json"))
        assert record["result"]["score"] == item["score"]
    finished = [name for name in stack.state("ls", "trials").split() if name.endswith(".json")]
    assert sorted(finished) == sorted(f"{item['trial_key']}.json" for item in items)
    stack.compose("stop")
    assert stack.left() == []
