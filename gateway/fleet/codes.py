"""One-time codes: short enough to be read out, long enough not to be guessed, never sent.

Whoever has the code proves it by a sum over what they say, and knows by the same that the answer is the fleet's. So the
first connection needs no certificate of anybody: what somebody between the two changes is refused on either side.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import b64decode, b64encode
from typing import Any, Literal

import orjson

ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Without 0, O, 1, I, L and U, which are read for each other."""
LETTERS = 10
"""49 bits: a guess a second at the five that are allowed is nothing; recorded sums take 30^10 derivations of a key."""
COST = 1 << 15
"""Of scrypt (RFC 7914): 32 MB and some 0.1 s for each guess at what was recorded, and once for who has the code."""
MEMORY = 64 << 20

Direction = Literal["request", "answer"]


class ProofError(ValueError):
    """What was said was not said by somebody who has the code."""


def make_code() -> str:
    """Return a new code such as ``7K2QD-9MXRT``."""
    letters = "".join(secrets.choice(ALPHABET) for _ in range(LETTERS))
    return f"{letters[:5]}-{letters[5:]}"


def key_of(code: str, name: str) -> bytes:
    """Return the key that a code gives for the gateway it is for: what the desk keeps instead of the code."""
    plain = "".join(code.upper().split()).replace("-", "")
    return hashlib.scrypt(plain.encode(), salt=f"rehab-fleet/1/{name}".encode(), n=COST, r=8, p=1, maxmem=MEMORY)


def sealed(key: bytes, direction: Direction, message: dict[str, Any]) -> bytes:
    """Return a message with the proof that who wrote it has the key."""
    body = orjson.dumps(message)
    return orjson.dumps({"v": 1, "body": b64encode(body).decode(), "proof": _proof(key, direction, body)})


def opened(key: bytes, direction: Direction, envelope: dict[str, Any]) -> dict[str, Any]:
    """Return the message of an envelope; raises ProofError, or ValueError where it is none."""
    said, proof = envelope.get("body"), envelope.get("proof")
    if not (isinstance(said, str) and isinstance(proof, str)):
        raise ValueError("it has no body, or no proof")  # noqa: TRY004 - of what came over the network
    body = b64decode(said, validate=True)
    if not hmac.compare_digest(_proof(key, direction, body).encode(), proof.encode()):
        raise ProofError("the code is another")
    message = orjson.loads(body)
    if not isinstance(message, dict):
        raise ValueError("not an object")  # noqa: TRY004 - of what came over the network
    return message


def _proof(key: bytes, direction: Direction, body: bytes) -> str:
    return hmac.new(key, f"rehab-fleet/1/{direction}\n".encode() + body, hashlib.sha256).hexdigest()
