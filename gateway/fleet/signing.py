"""The fleet's signature (Ed25519, RFC 8032): on plans, and by the sums in them on every bundle."""

from __future__ import annotations

from base64 import b64decode, b64encode
from pathlib import Path

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ABOUT = b"rehab-fleet-plan/1\n"
"""Signed along: a signature on something else is none on a plan."""


class SignatureError(ValueError):
    """Nobody who is trusted signed this."""


def make_key(path: Path) -> str:
    """Make a key into a new file that only its owner reads; return the public one (hexadecimal)."""
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )  # fmt: skip
    path.touch(mode=0o600, exist_ok=False)
    path.write_bytes(pem)
    return public_of(key)


def load_key(path: Path) -> Ed25519PrivateKey:
    """Return the key of a file; raises ValueError where it is none, OSError where it cannot be read."""
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"{path} is not an Ed25519 key")  # noqa: TRY004 - of a file's content
    return key


def public_of(key: Ed25519PrivateKey) -> str:
    """Return the public half as hexadecimal digits: what gateways are given when they join."""
    return key.public_key().public_bytes_raw().hex()


def sign(key: Ed25519PrivateKey, body: bytes) -> bytes:
    """Return a body with its signature, as it goes over the wire."""
    return orjson.dumps(
        {"v": 1, "body": b64encode(body).decode(), "signature": b64encode(key.sign(ABOUT + body)).decode()}
    )


def verified(public: str, envelope: bytes) -> bytes:
    """Return the body of an envelope that the key of ``public`` signed; raises SignatureError."""
    try:
        parts = orjson.loads(envelope)
        body = b64decode(parts["body"], validate=True)
        signature = b64decode(parts["signature"], validate=True)
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(signature, ABOUT + body)
    except InvalidSignature:
        raise SignatureError("it is not signed by this fleet's desk") from None
    except (ValueError, KeyError, TypeError):
        raise SignatureError("it is not a signed plan") from None
    return body
