"""What trials came to: one file a trial, and its per-example values, which never leave here."""

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from sandbox.api import Comparison, Outcome, SliceDifference, TaskSettings, TrialResult
from sandbox.errors import BadRequest, UnknownTrial
from sandbox.files import write_whole
from sandbox.trials.trial import Scored

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class Particulars(Struct, frozen=True, kw_only=True):
    """What the receipt of a trial says that nobody else asks for; see `statements`."""

    run: str
    settings: TaskSettings
    accepted: tuple[str, ...]
    data: str
    policy: str
    engine: str
    sandbox: str
    secret: str
    """The receipt's commitments are made with it: 32 random bytes in hexadecimal."""
    transcript: str
    transcript_nonce: str


class Record(Struct, frozen=True, kw_only=True):
    """One finished trial as it is stored."""

    result: TrialResult
    candidate: str
    """SHA-256 of the candidate's text: a key names one candidate for ever."""
    seed: int
    images: dict[str, str]
    runtime: str
    finished_at: str
    particulars: Particulars | None = None
    """What its receipt says beside; None: it is no run's, and has no receipt."""


class Begun(Struct, frozen=True, kw_only=True):
    """A trial whose candidate was let go, and that has no result yet."""

    task: str
    candidate: str
    """SHA-256 of its text."""
    seed: int
    attempts: int
    """How often, this time included."""


def check_key(key: str) -> None:
    """Raise `BadRequest` unless the key is safe as a file's name."""
    if not _KEY.fullmatch(key):
        raise BadRequest(
            f"{key[:80]!r} is no trial key.", "Use 1 to 128 letters, digits, '.', '_' and '-'."
        )


class Results:
    """Finished trials below a folder; a record is there whole, or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for draft in folder.glob("*.draft"):  # of a process that was killed
            draft.unlink()
        for begun in folder.glob("*.begun"):
            if begun.with_suffix(".json").exists():
                begun.unlink()

    def find(self, key: str) -> Record | None:
        """The record of a key, if its trial has finished."""
        check_key(key)
        try:
            data = (self._folder / f"{key}.json").read_bytes()
        except FileNotFoundError:
            return None
        return msgspec.json.decode(data, type=Record)

    def get(self, key: str) -> Record:
        """The record of a key. Raises `UnknownTrial`."""
        record = self.find(key)
        if record is None:
            raise UnknownTrial(f"No finished trial has the key {key}.", "Run it first.")
        return record

    def begun(self, key: str) -> Begun | None:
        """What an earlier process began of a trial and did not finish, if it died in that."""
        try:
            data = (self._folder / f"{key}.begun").read_bytes()
        except FileNotFoundError:
            return None
        return msgspec.json.decode(data, type=Begun)

    def begin(self, key: str, begun: Begun) -> None:
        """Store that a candidate is about to be let go: whoever dies, its seed stays."""
        write_whole(self._folder / f"{key}.begun", msgspec.json.encode(begun))

    def give_up(self, key: str) -> None:
        """A person cancelled the trial: it begins anew."""
        (self._folder / f"{key}.begun").unlink(missing_ok=True)

    def add(self, record: Record, scored: Scored | None) -> None:
        """Store values first, then the record: what has a record is complete."""
        key = record.result.key
        if scored is not None:
            block = np.empty(0, np.int64) if scored.block is None else scored.block
            head = np.array([scored.values.size, block.size], dtype="<i8")
            data = head.tobytes() + scored.values.astype("<f8").tobytes()
            write_whole(self._folder / f"{key}.values", data + block.astype("<i8").tobytes())
            if scored.slices:
                packed = {name: np.packbits(mask).tobytes() for name, mask in scored.slices.items()}
                write_whole(self._folder / f"{key}.slices", msgspec.json.encode(packed))
        write_whole(self._folder / f"{key}.json", msgspec.json.encode(record))
        self.give_up(key)

    def compare(self, first: Sequence[str], second: Sequence[str]) -> Comparison:
        """Mean of `first` minus mean of `second`; see `api.Sandbox.compare`.

        The standard error is that of a mean of independent blocks: the square root of the sum of
        squared block sums of the centred differences, over the number of examples, with the
        factor m/(m-1) for m blocks. Raises `BadRequest`, `UnknownTrial`.
        """
        if not first or not second:
            raise BadRequest("A comparison needs trials on both sides.", "Give their keys.")
        records = [self.get(key) for key in (*first, *second)]
        if len({record.result.task for record in records}) != 1:
            raise BadRequest("Trials of different tasks can't be compared.", "Choose one task's.")
        for record in records:
            if record.result.outcome is not Outcome.scored:
                raise BadRequest(
                    f"Trial {record.result.key} has no score ({record.result.outcome}).",
                    "Compare scored trials.",
                )
        loaded = {key: self._values(key) for key in {*first, *second}}
        sizes = {values.size for values, _ in loaded.values()}
        if len(sizes) != 1:
            raise BadRequest(
                "The trials have different numbers of examples.",
                "`score` must return one value an example, in a fixed order.",
            )
        difference = np.mean([loaded[key][0] for key in first], axis=0) - np.mean(
            [loaded[key][0] for key in second], axis=0
        )
        block = loaded[first[0]][1]
        return Comparison(
            difference=float(difference.mean()),
            standard_error=_standard_error(difference, block),
            examples=int(difference.size),
            slices={
                name: SliceDifference(
                    difference=float(difference[mask].mean()),
                    standard_error=_standard_error(
                        difference[mask], None if block is None else block[mask]
                    ),
                )
                for name, mask in self._slices([*first, *second], difference.size).items()
                # Of a single block nobody knows how far it is off by chance.
                if np.unique(np.arange(mask.size)[mask] if block is None else block[mask]).size > 1
            },
        )

    def _slices(self, keys: Sequence[str], examples: int) -> dict[str, NDArray[np.bool_]]:
        """Masks of shape (examples,). Raises `BadRequest` if trials have different ones."""
        stored = []
        for key in keys:
            with suppress(FileNotFoundError):
                stored.append((self._folder / f"{key}.slices").read_bytes())
        if stored and (len(stored) != len(keys) or len(set(stored)) != 1):
            raise BadRequest(
                "The trials have different slices.",
                "`score` must return the same slices for every candidate.",
            )
        packed = msgspec.json.decode(stored[0], type=dict[str, bytes]) if stored else {}
        return {
            name: np.unpackbits(np.frombuffer(bits, np.uint8), count=examples).astype(np.bool_)
            for name, bits in packed.items()
        }

    def _values(self, key: str) -> tuple[NDArray[np.float64], NDArray[np.int64] | None]:
        data = (self._folder / f"{key}.values").read_bytes()
        count, blocks = (int(n) for n in np.frombuffer(data, "<i8", 2))
        values = np.frombuffer(data, "<f8", count, 16)
        block = np.frombuffer(data, "<i8", blocks, 16 + 8 * count)
        return values, block if blocks else None


def _standard_error(values: NDArray[np.float64], block: NDArray[np.int64] | None) -> float:
    centred = values - values.mean()
    sums = (
        centred if block is None else np.bincount(np.unique(block, return_inverse=True)[1], centred)
    )
    if sums.size < 2:
        return 0.0
    return float(np.sqrt(np.sum(sums**2) * sums.size / (sums.size - 1)) / values.size)
