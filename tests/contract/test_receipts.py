"""What every `api.Sandbox` signs, real or fake, near or over a socket."""

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from msgspec.structs import replace
from securesystemslib.signer import SSlibKey

from controller.verify.envelope import read_receipt
from sandbox.api import Sandbox, Task, TrialRequest
from sandbox.errors import BadRequest
from sandbox.receipts.statements import TrialPredicate
from tests.contract.conftest import BETTER, WORSE

Order = Callable[..., TrialRequest]


def predicates(sandbox: Sandbox, run: str, after: int = 0) -> list[Any]:
    """What a run's receipts say, whose signatures hold."""
    chain = sandbox.receipts(run, after)
    key = SSlibKey.from_crypto(load_pem_public_key(chain.public_key.encode()))
    return [read_receipt(line, key).predicate for line in chain.receipts]


def test_a_run_has_a_receipt_of_each_trial_and_comparison(
    sandbox: Sandbox, task: Task, order: Order
) -> None:
    """Signed with the key that `info` tells, once each, and closed at the end."""
    run = f"run{order(BETTER).key}"
    first, second = (
        sandbox.run(replace(order(text), run=run, accepted=("lsm",))) for text in (BETTER, WORSE)
    )
    comparison = sandbox.compare([first.key], [second.key], run)
    sandbox.close_run(run, [first.key])
    for again in (first.key, second.key):
        sandbox.run(TrialRequest(key=again, task=task.hash, run=run,
                                 candidate=BETTER if again == first.key else WORSE))  # fmt: skip
    sandbox.compare([first.key], [second.key], run)
    sandbox.close_run(run, [])
    told = predicates(sandbox, run)
    assert [one.number for one in told] == [0, 1, 2, 3]
    assert sandbox.receipts(run, 0).public_key == sandbox.info().public_key
    for result, receipt in zip((first, second), told, strict=False):
        assert isinstance(receipt, TrialPredicate)
        assert (receipt.run, receipt.key, receipt.task) == (run, result.key, task.hash)
        assert (receipt.outcome, receipt.score) == (result.outcome, result.score)
        assert (receipt.seconds, receipt.attempts) == (result.seconds, result.attempts)
        assert receipt.settings == task.settings
        assert receipt.data == task.data != ""
        assert receipt.accepted == ["lsm"]
        assert receipt.policy == told[0].policy
        assert len(receipt.transcript) == 64
    assert told[0].transcript != told[1].transcript
    assert (told[2].first, told[2].second) == ([first.key], [second.key])
    assert told[2].comparison == comparison
    closing = told[3]
    assert closing.trials == 2
    assert {key: seed.commitment for key, seed in closing.seeds.items()} == {
        trial.key: trial.seed for trial in told[:2]
    }
    assert [one.number for one in predicates(sandbox, run, after=2)] == [2, 3]


def test_a_trial_of_no_run_has_no_receipt(sandbox: Sandbox, order: Order) -> None:
    """A chain is asked for by a run's name, and one that nothing was done for is empty."""
    request = order(BETTER)
    sandbox.run(request)
    sandbox.close_run("nothing", [])
    assert sandbox.receipts("nothing", 0).receipts == []
    with pytest.raises(BadRequest):
        sandbox.run(replace(order(BETTER), run="../up"))
