"""Receipts: signed with the sandbox's key, one chain a run, on disk before anyone hears of them.

The key is made at first use and never leaves its folder. A chain is a file of lines that is only
added to; a last line without an end was being written when the sandbox died, and was told to
nobody. What is asked for twice (a trial's key, a comparison of the same trials) is signed once.
"""

import os
import stat
import threading
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.dsse import Envelope
from securesystemslib.signer import CryptoSigner

from sandbox.api import Chain, Check, Comparison, Verdict
from sandbox.errors import BadRequest, Internal, NoSpace
from sandbox.files import write_whole
from sandbox.receipts.statements import (
    PAYLOAD_TYPE,
    ClosingPredicate,
    ClosingStatement,
    ComparisonPredicate,
    ComparisonStatement,
    Opening,
    Predicate,
    Statement,
    TrialPredicate,
    TrialStatement,
    sha256,
    statement_of,
)
from sandbox.trials.results import Record, check_key


@dataclass
class _Chain:
    """What is known of a run's chain; the receipts themselves stay in its file."""

    file: Path
    ends: "array[int]" = field(default_factory=partial(array, "Q"))
    """Where the line of each receipt ends, in bytes."""
    last: str = ""
    """Hash of the last line."""
    trials: dict[str, None] = field(default_factory=dict)
    """Keys of those that are signed already, in their order."""
    comparisons: set[str] = field(default_factory=set)
    """Hashes of the keys of both sides."""
    revealed: set[str] = field(default_factory=set)
    closed: bool = False

    @property
    def bytes(self) -> int:
        """That the file has when its last line is whole."""
        return self.ends[-1] if self.ends else 0

    def took(self, line: str, statement: Statement) -> None:
        """Remember a line that is on disk."""
        self.ends.append(self.bytes + len(line.encode()) + 1)
        self.last = sha256(line)
        self.closed = isinstance(statement, ClosingStatement)
        match statement:
            case TrialStatement(predicate=trial):
                self.trials[trial.key] = None
            case ComparisonStatement(predicate=compared):
                self.comparisons.add(_sides(compared.first, compared.second))
            case ClosingStatement(predicate=closing):
                self.revealed |= {f"seed {key}" for key in closing.seeds}
                self.revealed |= {f"vault {key}" for key in closing.vaults}

    def after(self, count: int) -> list[str]:
        """The lines without the first `count`."""
        if count >= len(self.ends):
            return []
        begin = self.ends[count - 1] if count else 0
        with self.file.open("rb") as file:
            file.seek(begin)
            return file.read(self.bytes - begin).decode().splitlines()


class Receipts:
    """The key and the chains below a folder; thread-safe."""

    def __init__(self, folder: Path) -> None:
        """Make the folder and the key where they are missing."""
        self._folder = folder
        self._lock = threading.Lock()
        self._chains: dict[str, _Chain] = {}
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for draft in folder.glob("*.draft"):  # of a process that was killed
            draft.unlink()
        self._file = folder / "key.pem"
        if not self._file.exists():
            write_whole(self._file, _new_key())
        private = serialization.load_pem_private_key(self._file.read_bytes(), password=None)
        if not isinstance(private, Ed25519PrivateKey):
            raise Internal(f"{self._file} is no Ed25519 key.", "Move it away; one is made anew.")
        self._signer = CryptoSigner(private)
        self.public_key = (
            private.public_key()
            .public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            .decode()
        )

    def check(self) -> Check:
        """The doctor's look at the key: its owner's alone, and its id."""
        others = stat.S_IMODE(self._file.stat().st_mode) & 0o077
        return Check(
            name="receipt_key",
            verdict=Verdict.failed if others else Verdict.passed,
            measured=True,
            detail=f"receipts are signed with the key {self._signer.public_key.keyid}"
            + (f", which others may read in {self._file}" if others else ""),
            next_step=f"chmod 600 {self._file}" if others else "",
        )

    def after(self, run: str, count: int) -> Chain:
        """The public key, and a run's receipts without the first `count`."""
        with self._lock:
            return Chain(public_key=self.public_key, receipts=self._chain(run).after(count))

    def add_trial(self, record: Record) -> None:
        """Sign a finished trial, if it is a run's. Raises `NoSpace`."""
        told, result = record.particulars, record.result
        if told is None:
            return
        vault = opening_of_vault(record)

        def make(number: int, previous: str) -> TrialPredicate:
            return TrialPredicate(
                run=told.run,
                number=number,
                previous=previous,
                key=result.key,
                task=result.task,
                settings=told.settings,
                candidate=record.candidate,
                data=told.data,
                images=record.images,
                policy=told.policy,
                runtime=record.runtime,
                engine=told.engine,
                sandbox=told.sandbox,
                accepted=list(told.accepted),
                seed=opening_of_seed(record).commitment,
                vault="" if vault is None else vault.commitment,
                transcript=told.transcript,
                log=sha256(result.log),
                reason=sha256(result.reason),
                outcome=result.outcome,
                score=result.score,
                rehearsal_score=result.rehearsal_score,
                examples=result.examples,
                seconds=result.seconds,
                wall_seconds=result.wall_seconds,
                peak_memory_bytes=result.peak_memory_bytes,
                device=result.device,
                attempts=result.attempts,
                finished_at=record.finished_at,
            )

        with self._lock:
            chain = self._chain(told.run)
            if result.key not in chain.trials:
                self._append(chain, make)

    def compare(
        self,
        run: str,
        first: Sequence[str],
        second: Sequence[str],
        compare: Callable[[Sequence[str], Sequence[str]], Comparison],
    ) -> Comparison:
        """Compare, and sign what comes of it, if it is a run's: that it is refused, too."""
        comparison, refused = None, ""
        try:
            comparison = compare(first, second)
        except BadRequest as fault:
            refused = fault.message
            raise
        finally:
            if run and (comparison is not None or refused):
                self._add_comparison(run, list(first), list(second), comparison, refused)
        return comparison

    def _add_comparison(
        self,
        run: str,
        first: list[str],
        second: list[str],
        comparison: Comparison | None,
        refused: str,
    ) -> None:
        with self._lock:
            chain = self._chain(run)
            if _sides(first, second) not in chain.comparisons:
                self._append(
                    chain,
                    lambda number, previous: ComparisonPredicate(
                        run=run,
                        number=number,
                        previous=previous,
                        first=first,
                        second=second,
                        comparison=comparison,
                        refused=refused,
                    ),
                )

    def close(self, run: str, find: Callable[[str], Record], kept: Sequence[str]) -> None:
        """Sign that the chain ends here, and reveal seeds, and the vault's scores of `kept` trials.

        A chain that is empty, or closed already, stays as it is.
        """
        with self._lock:
            chain = self._chain(run)
            if not chain.ends or chain.closed:
                return
            seeds = {
                key: opening_of_seed(find(key))
                for key in chain.trials
                if f"seed {key}" not in chain.revealed
            }
            vaults = {
                key: opening
                for key in chain.trials
                if key in kept and f"vault {key}" not in chain.revealed
                if (opening := opening_of_vault(find(key)))
            }
            self._append(
                chain,
                lambda number, previous: ClosingPredicate(
                    run=run,
                    number=number,
                    previous=previous,
                    trials=len(chain.trials),
                    seeds=seeds,
                    vaults=vaults,
                    closed_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
                ),
            )

    # ---- below -----------------------------------------------------------------------------

    def _append(self, chain: _Chain, make: Callable[[int, str], Predicate]) -> None:
        """Sign the next receipt and put it on disk. Raises `NoSpace`."""
        statement = statement_of(make(len(chain.ends), chain.last))
        envelope = Envelope(msgspec.json.encode(statement), PAYLOAD_TYPE, {})
        envelope.sign(self._signer)
        line = msgspec.json.encode(envelope.to_dict()).decode()
        if not chain.file.exists():
            write_whole(chain.file, b"")
        try:
            with chain.file.open("ab") as file:
                try:
                    file.write(line.encode() + b"\n")
                    file.flush()
                    os.fsync(file.fileno())
                except OSError:
                    file.truncate(chain.bytes)
                    raise
        except OSError as fault:
            raise NoSpace(
                f"The sandbox can't write a receipt: {fault.strerror}.", "Free space on its disk."
            ) from None
        chain.took(line, statement)

    def _chain(self, run: str) -> _Chain:
        check_key(run)
        if run not in self._chains:
            chain = _Chain(self._folder / f"{run}.jsonl")
            if chain.file.exists():
                whole, _, torn = chain.file.read_bytes().rpartition(b"\n")
                if torn:
                    os.truncate(chain.file, len(whole) + bool(whole))
                for line in whole.decode().splitlines():
                    payload = Envelope.from_dict(msgspec.json.decode(line)).payload
                    chain.took(line, msgspec.json.decode(payload, type=Statement))
            self._chains[run] = chain
        return self._chains[run]


def opening_of_seed(record: Record) -> Opening:
    """What reveals a trial's seed."""
    return Opening(value=str(record.seed), nonce=_nonce(record, "seed"))


def opening_of_vault(record: Record) -> Opening | None:
    """What reveals its score on the vault, if it has one."""
    score = record.result.vault_score
    if score is None:
        return None
    return Opening(value=msgspec.json.encode(score).decode(), nonce=_nonce(record, "vault"))


def _nonce(record: Record, name: str) -> str:
    secret = "" if record.particulars is None else record.particulars.secret
    return sha256(f"{name}:{secret}")


def _sides(first: Sequence[str], second: Sequence[str]) -> str:
    return sha256(msgspec.json.encode([first, second]).decode())


def _new_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
