"""A hash of what was said in a trial's scorings, so that a receipt can stand for it.

It covers every frame that the scorer sent or was sent, in their order: which split, each
predictor that it opened and closed, each question, each answer that was passed on, the seconds that
it was told of a timed one, and its last word with all values. Not in it: what the trainer did, what
predictors wrote beside their answers, answers that were refused, and the frames' times.

Values may be few and small, and questions public, so the hash is keyed: the key stays in the
sandbox's record of the trial. The frames themselves are not stored.
"""

import hashlib
import secrets


class Transcript:
    """Grows with each frame."""

    def __init__(self) -> None:
        self.nonce = secrets.token_hex(32)
        self._hash = hashlib.sha256(self.nonce.encode())

    def add(self, who: bytes, kind: int, *parts: bytes | memoryview) -> None:
        """One frame: `who` is b"<" for the scorer's own and b">" for what it was sent."""
        self._hash.update(who + bytes((kind,)) + sum(map(len, parts)).to_bytes(8, "little"))
        for part in parts:
            self._hash.update(part)

    def digest(self) -> str:
        """SHA-256 so far, in hexadecimal."""
        return self._hash.hexdigest()
