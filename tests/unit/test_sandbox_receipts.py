"""Receipts: the key, the chains, what they say and what they keep to themselves."""

import errno
import json
import os
import stat
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from sandbox.api import Comparison, Goal, Outcome, TaskSettings, Verdict
from sandbox.errors import BadRequest, NoSpace
from sandbox.receipts.chains import Receipts, opening_of_seed
from sandbox.receipts.statements import sha256
from sandbox.trials.results import Particulars, Record
from tests.unit.test_sandbox_results import record

SETTINGS = TaskSettings(metric="bits", goal=Goal.minimize, budget_seconds=2)
COMPARISON = Comparison(difference=-0.25, standard_error=0.125, examples=3)


def trial(key: str, run: str = "r", **changes: Any) -> Record:
    """A finished trial of a run."""
    found = record(key)
    particulars = Particulars(
        run=run,
        settings=SETTINGS,
        accepted=("lsm",),
        data="d" * 64,
        policy="p" * 64,
        engine="28",
        sandbox="1",
        secret="5" * 64,
        transcript="t" * 64,
        transcript_nonce="n" * 64,
    )
    result = replace(found.result, **changes)
    return replace(found, result=result, particulars=particulars)


def said(line: str) -> Any:
    """What a receipt's statement says."""
    return json.loads(b64decode(json.loads(line)["payload"]))


def lines(receipts: Receipts, run: str = "r") -> list[str]:
    """The chain of a run."""
    return receipts.after(run, 0).receipts


def test_the_key_is_made_once_and_is_its_owners(tmp_path: Path) -> None:
    """The private key is a file of mode 0600 that a second process uses again."""
    first = Receipts(tmp_path)
    key = tmp_path / "key.pem"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert "PRIVATE" in key.read_text()
    assert "PRIVATE" not in first.public_key
    assert Receipts(tmp_path).public_key == first.public_key
    assert Receipts(tmp_path / "other").public_key != first.public_key


@pytest.mark.parametrize(("mode", "verdict"), [(0o600, "PASS"), (0o640, "FAIL"), (0o604, "FAIL")])
def test_the_doctor_looks_at_the_key(tmp_path: Path, mode: int, verdict: str) -> None:
    """A key that others may read is a broken promise, with the way to mend it."""
    receipts = Receipts(tmp_path)
    (tmp_path / "key.pem").chmod(mode)
    check = receipts.check()
    assert check.verdict is Verdict(verdict)
    assert bool(check.next_step) is (verdict == "FAIL")


def test_a_receipt_says_what_a_trial_came_to(tmp_path: Path) -> None:
    """The statement is in-toto's, about the candidate, with all that the record has."""
    receipts = Receipts(tmp_path)
    receipts.add_trial(trial("r-0-1", attempts=2))
    statement = said(lines(receipts)[0])
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["subject"] == [{"name": "train.py", "digest": {"sha256": "b" * 64}}]
    told = statement["predicate"]
    assert (told["run"], told["number"], told["previous"]) == ("r", 0, "")
    assert (told["key"], told["outcome"], told["score"]) == ("r-0-1", "scored", 1.5)
    assert (told["accepted"], told["attempts"]) == (["lsm"], 2)
    assert told["settings"]["budget_seconds"] == 2
    assert told["log"] == sha256("line\n")


def test_each_receipt_has_the_hash_of_the_line_before(tmp_path: Path) -> None:
    """Numbers count from 0, and chains of two runs do not touch each other."""
    receipts = Receipts(tmp_path)
    for number in range(3):
        receipts.add_trial(trial(f"r-{number}-1"))
        receipts.add_trial(trial(f"other-{number}-1", run="other"))
    chain = lines(receipts)
    told = [said(line)["predicate"] for line in chain]
    assert [one["number"] for one in told] == [0, 1, 2]
    assert [one["previous"] for one in told] == ["", sha256(chain[0]), sha256(chain[1])]
    assert receipts.after("r", 2).receipts == chain[2:]


def test_what_is_asked_for_twice_is_signed_once(tmp_path: Path) -> None:
    """Also by the next process: a trial's key, a comparison of the same trials, an end."""
    for _ in range(2):
        receipts = Receipts(tmp_path)
        for _ in range(2):
            receipts.add_trial(trial("r-0-1"))
            receipts.compare("r", ["r-0-1"], ["r-0-1"], lambda *_: COMPARISON)
            receipts.close("r", trial, [])
    kinds = [said(line)["predicateType"].split(":")[-2] for line in lines(receipts)]
    assert kinds == ["trial", "comparison", "closing"]


def test_a_trial_outside_of_a_run_has_no_receipt(tmp_path: Path) -> None:
    """`sealed try` leaves no chain behind, and neither does a comparison without a run."""
    receipts = Receipts(tmp_path)
    receipts.add_trial(record("try-1"))
    receipts.compare("", ["try-1"], ["try-1"], lambda *_: COMPARISON)
    assert [file.name for file in tmp_path.iterdir()] == ["key.pem"]


def test_a_refused_comparison_is_signed_too(tmp_path: Path) -> None:
    """Else a good candidate could be dropped by never comparing it."""

    def refuse(*_: object) -> Comparison:
        raise BadRequest("different numbers of examples")

    receipts = Receipts(tmp_path)
    with pytest.raises(BadRequest):
        receipts.compare("r", ["r-1-1"], ["r-0-1"], refuse)
    told = said(lines(receipts)[0])["predicate"]
    assert told["comparison"] is None
    assert told["refused"] == "different numbers of examples"


@pytest.mark.claim("receipts-keep-secrets")
def test_seeds_and_vault_are_sealed_until_the_end(tmp_path: Path) -> None:
    """Before the closing receipt neither is in the chain in clear; it has what opens them."""
    receipts = Receipts(tmp_path)
    records = {
        key: replace(trial(key, vault_score=score), seed=seed)
        for key, score, seed in (("r-0-1", 0.123456, 3141592653), ("r-1-1", 0.654321, 271828182))
    }
    for found in records.values():
        receipts.add_trial(found)
    before = json.dumps([said(line) for line in lines(receipts)])
    for secret in ("3141592653", "271828182", "0.123456", "0.654321", "5" * 64, "n" * 64):
        assert secret not in before
    receipts.close("r", records.__getitem__, ["r-1-1"])
    closing = said(lines(receipts)[-1])["predicate"]
    assert closing["trials"] == 2
    assert {key: seed["value"] for key, seed in closing["seeds"].items()} == {
        "r-0-1": "3141592653",
        "r-1-1": "271828182",
    }
    assert {key: vault["value"] for key, vault in closing["vaults"].items()} == {
        "r-1-1": "0.654321"
    }
    first = said(lines(receipts)[0])["predicate"]
    opening = closing["seeds"]["r-0-1"]
    assert first["seed"] == sha256(f"{opening['nonce']}:{opening['value']}")
    assert opening_of_seed(records["r-0-1"]).commitment == first["seed"]
    assert "5" * 64 not in json.dumps(closing)


def test_a_run_that_goes_on_is_closed_again(tmp_path: Path) -> None:
    """Each closing receipt reveals what none before it did."""
    receipts = Receipts(tmp_path)
    for number in range(2):
        receipts.add_trial(trial(f"r-{number}-1"))
        receipts.close("r", trial, [])
    closings = [said(line)["predicate"] for line in lines(receipts)[1::2]]
    assert [list(closing["seeds"]) for closing in closings] == [["r-0-1"], ["r-1-1"]]
    assert [closing["trials"] for closing in closings] == [1, 2]


def test_a_line_that_was_being_written_is_written_again(tmp_path: Path) -> None:
    """A sandbox that died in the middle of a line told nobody of it; what was whole stays."""
    receipts = Receipts(tmp_path)
    receipts.add_trial(trial("r-0-1"))
    receipts.add_trial(trial("r-1-1"))
    whole = lines(receipts)
    file = tmp_path / "r.jsonl"
    for cut in (1, 20, len(whole[1])):
        file.write_text(f"{whole[0]}\n{whole[1]}"[: len(whole[0]) + 1 + cut])
        again = Receipts(tmp_path)
        again.add_trial(trial("r-1-1"))
        assert lines(again) == whole
        assert file.read_text() == "".join(f"{line}\n" for line in whole)


def test_a_full_disk_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What can't be made durable is not in the chain, and is signed once there is space."""
    receipts = Receipts(tmp_path)
    receipts.add_trial(trial("r-0-1"))

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(NoSpace):
            receipts.add_trial(trial("r-1-1", outcome=Outcome.scored))
    assert len(lines(receipts)) == len(lines(Receipts(tmp_path))) == 1
    receipts.add_trial(trial("r-1-1"))
    assert lines(Receipts(tmp_path)) == lines(receipts)
    assert len(lines(receipts)) == 2


@pytest.mark.parametrize("run", ["../up", "a/b", ".hidden", "a" * 200])
def test_a_run_is_a_plain_name(tmp_path: Path, run: str) -> None:
    """It becomes the name of a file."""
    with pytest.raises(BadRequest):
        Receipts(tmp_path).after(run, 0)
