"""`sealed verify` and the key, on the command line."""

import json
import sqlite3
from pathlib import Path

from sandbox.fake.sandbox import FakeSandbox
from sandbox.receipts.statements import PAYLOAD_TYPE
from tests.unit.command import Sealed, document
from tests.unit.toy import FILES


def test_an_honest_run_passes(sealed: Sealed, fake_sandbox: FakeSandbox) -> None:
    """By name, as the newest, and as a folder elsewhere with a key that was kept."""
    sealed("run", "toy", "--name", "run", "--experiments", "3")
    out = sealed("verify").output
    assert "run is what it says: 8 receipts of 4 trials, 4 experiments" in out
    assert "It came with the run." in out
    Path("kept.pem").write_text(sealed("doctor", "--key").output)
    Path("elsewhere").mkdir()
    Path("runs/run").rename("elsewhere/copy")
    out = sealed("verify", "elsewhere/copy", "--key", "kept.pem").output
    assert "copy is what it says" in out
    assert "It came with the run." not in out
    found = document(sealed("verify", "elsewhere/copy", "--json"))
    assert (found["receipts"], found["findings"]) == (8, [])
    assert Path("kept.pem").read_text() == fake_sandbox.info().public_key
    lines = sealed("export", "elsewhere/copy", "--format", "receipts").output.splitlines()
    assert [json.loads(line)["payloadType"] for line in lines] == [PAYLOAD_TYPE] * 8


def test_what_is_wrong_is_told_by_line(sealed: Sealed) -> None:
    """Exit code 1; a key that is none is a usage error, and a run without one is not found."""
    sealed("run", "toy", "--name", "run", "--experiments", "3")
    with sqlite3.connect("runs/run/ledger.sqlite") as db:
        db.execute("UPDATE trials SET score = 7 WHERE experiment = 2")
    out = sealed("verify", code=1).output
    assert "3 2 The ledger says score = 7.0, the receipt" in " ".join(out.split())
    assert "run is not what it says: 1 findings" in out
    found = document(sealed("verify", "--json", code=1))
    assert [f["experiment"] for f in found["findings"]] == [2]
    Path("no.pem").write_text("no key")
    assert "no Ed25519 public key" in sealed("verify", "--key", "no.pem", code=2).output
    Path("runs/run/receipts.pem").unlink()
    assert "No public key" in sealed("verify", code=4).output
    assert "No run is named other" in sealed("verify", "other", code=4).output


def test_changed_data_is_found_where_it_is_at_hand(
    sealed: Sealed, fake_sandbox: FakeSandbox
) -> None:
    """Without `--data` a run is checked alone, with it the sandbox hashes all of its data."""
    sealed("run", "toy", "--name", "run", "--experiments", "1")
    sealed("verify", "--data")
    task = fake_sandbox.prepare(FILES).hash
    fake_sandbox.alter(task)
    sealed("verify")
    assert "data of task toy was altered" in sealed("verify", "--data", code=1).output
    fake_sandbox.forget(task)
    assert "No task" in sealed("verify", "--data", code=1).output


def test_data_that_was_made_anew_is_found(sealed: Sealed, fake_sandbox: FakeSandbox) -> None:
    """Data of the same task with another split is whole, and not what was scored on."""
    sealed("run", "toy", "--name", "run", "--experiments", "1")
    task = fake_sandbox.prepare(FILES)
    fake_sandbox.split_anew(task.hash)
    found = document(sealed("verify", "--data", "--json", code=1))
    assert [f["problem"] for f in found["findings"]] == [
        "The prepared data is not what the run was scored on."
    ]
