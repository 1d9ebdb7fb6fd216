"""Whether a run is what it says: receipts, ledger and repository against each other and the rule.

Offline: the run's folder and a public key are all that is needed. What is found has the number of
the receipt and of the experiment that it was found at.
"""

from pathlib import Path

import msgspec
from msgspec import Struct

from controller.errors import Failed, NotFound
from controller.runs import PUBLIC_KEY, reading
from controller.verify.chain import read_chain
from controller.verify.decisions import check_decisions
from controller.verify.envelope import Key, read_key
from controller.verify.finding import Finding
from controller.verify.ledger import check_ledger
from controller.verify.repository import check_repository


class Verified(Struct, frozen=True, kw_only=True):
    """What became of it: true, where nothing is found."""

    run: str
    task: str
    task_hash: str
    key: str
    """Id of the public key that the receipts were held against."""
    key_is_the_runs: bool
    """The key came with the run: it shows that the receipts agree, not who signed them."""
    receipts: int
    trials: int
    experiments: int
    kept: int
    """Decisions to keep, the baseline's too."""
    dethroned: int
    """Of those: dishonest later, in a trial as champion."""
    data: list[str]
    """Hashes of the data that was scored on: of a run without a finding, one."""
    images: list[dict[str, str]]
    devices: list[str]
    accepted: list[str]
    """Findings of the doctor that trials were run in spite of."""
    findings: list[Finding]


def verify(folder: Path, key_file: Path | None) -> Verified:
    """Check the run in a folder. Raises `NotFound`, `Unusable`, `Failed`."""
    file = key_file or folder / PUBLIC_KEY
    if not file.exists():
        raise NotFound(f"No public key is in {file}.", "Give one by --key: `sealed doctor --key`.")
    key = read_key(file)
    try:
        return _verify(folder, key, key_is_the_runs=key_file is None)
    except (msgspec.MsgspecError, ValueError, LookupError) as fault:
        # Others may have made the file: its rows can be anything.
        raise Failed(
            f"The ledger of {folder.name} has rows that no run writes: {fault}.", "Ask for a copy."
        ) from None


def _verify(folder: Path, key: Key, *, key_is_the_runs: bool) -> Verified:
    with reading(folder) as (ledger, row):
        chain = read_chain(ledger.receipts(), key, row.id)
        experiments = ledger.experiments()
        findings = [
            *chain.findings,
            *check_ledger(ledger, row, chain),
            *check_decisions(experiments, ledger.candidates(), chain),
            *check_repository(folder / "repository", ledger, row),
        ]
    trials = [trial.predicate for trial in chain.trials]
    return Verified(
        run=folder.resolve().name,
        task=row.task_name,
        task_hash=row.task_hash,
        key=key.keyid,
        key_is_the_runs=key_is_the_runs,
        receipts=chain.length,
        trials=len(trials),
        experiments=len(experiments),
        kept=sum(e.decision == "kept" for e in experiments),
        dethroned=sum(e.dethroned_by is not None for e in experiments),
        data=sorted({trial.data for trial in trials}),
        images=_distinct([trial.images for trial in trials]),
        devices=sorted({trial.device for trial in trials}),
        accepted=sorted({name for trial in trials for name in trial.accepted}),
        findings=findings,
    )


def _distinct(items: list[dict[str, str]]) -> list[dict[str, str]]:
    return [item for n, item in enumerate(items) if item not in items[:n]]


__all__ = ["Finding", "Verified", "read_key", "verify"]
