"""Reads one receipt: the only file of the controller that knows signatures.

A line was written by whoever gives it: it is decoded by type, and what is signed is looked at only
once the signature holds.
"""

from pathlib import Path

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from msgspec import Struct
from securesystemslib import exceptions
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

from controller.errors import Unusable
from sandbox.receipts.statements import PAYLOAD_TYPE, STATEMENT_TYPE, Statement

Key = SSlibKey


class Broken(Exception):
    """A line is no receipt of this key."""


class _Signature(Struct, frozen=True, forbid_unknown_fields=True):
    keyid: str
    sig: str


class _Envelope(Struct, frozen=True, forbid_unknown_fields=True):
    payload: str
    payloadType: str
    signatures: list[_Signature]


def read_key(file: Path) -> Key:
    """A public key in PEM. Raises `Unusable`."""
    try:
        key = load_pem_public_key(file.read_bytes())
    except (ValueError, UnsupportedAlgorithm, OSError):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise Unusable(
            f"{file} is no Ed25519 public key in PEM.", "`sealed doctor --key` shows it."
        )
    return SSlibKey.from_crypto(key)


def read_receipt(line: str, key: Key) -> Statement:
    """What a line says, once its signature holds. Raises `Broken`."""
    try:
        told = msgspec.json.decode(line, type=_Envelope)
        envelope = Envelope.from_dict(msgspec.to_builtins(told))
        again = msgspec.json.encode(envelope.to_dict()).decode()
    except (msgspec.MsgspecError, exceptions.Error, ValueError, RecursionError):
        raise Broken("it is no DSSE envelope") from None
    if key.keyid not in envelope.signatures:
        raise Broken("it was signed with another key")
    try:
        envelope.verify([key], 1)
    except exceptions.Error:
        raise Broken("its signature does not hold: it was changed after it was signed") from None
    if again != line or len(envelope.signatures) != 1 or envelope.payload_type != PAYLOAD_TYPE:
        raise Broken("it is not written as it was signed")
    try:
        statement: Statement = msgspec.json.decode(envelope.payload, type=Statement)
    except msgspec.MsgspecError:
        raise Broken("it is of a kind that this version does not know") from None
    if statement.type_ != STATEMENT_TYPE:
        raise Broken("it is no in-toto statement")
    return statement
