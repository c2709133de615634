"""The secret that gateway and historian share, so that a receipt can be told from a forged one.

Whoever may publish on ``stored`` could have an outbox let go of everything. With a key each receipt carries a sum
(HMAC-SHA256) over its topic and its bytes; the topic names site, gateway and historian, so a receipt of one is none of
another. An old receipt that is sent again says less than the outbox knows already, and does no harm.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
from hashlib import sha256
from pathlib import Path

from config.secret import located, read_secret
from config.settings import Settings

FILE = "receipt.key"
"""In the data folder, where the broker is embedded: both processes run there."""
SHORTEST = 16
"""Characters; what we make has 64."""
SUM = re.compile(rb',"mac":"([0-9a-f]{64})"\}\Z')


class ReceiptKeyError(Exception):
    """The key cannot be read, or is too short to be one."""


class ReceiptKey:
    """Signs receipts and tells whether one is signed.

    Args:
        secret: Text that nobody else knows.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def sign(self, topic: str, payload: bytes) -> bytes:
        """Return a JSON object with the sum over it as its last field."""
        return payload[:-1] + b',"mac":"' + self._sum(topic, payload).encode() + b'"}'

    def is_signed(self, topic: str, payload: bytes) -> bool:
        """Tell whether a payload was signed with this key for this topic."""
        found = SUM.search(payload)
        if found is None:
            return False
        signed = payload[: found.start()] + b"}"
        return hmac.compare_digest(found[1], self._sum(topic, signed).encode())

    def _sum(self, topic: str, payload: bytes) -> str:
        return hmac.new(self._secret, topic.encode() + b"\0" + payload, sha256).hexdigest()


def receipt_key(settings: Settings) -> ReceiptKey | None:
    """Return the key of a configuration, made now where the broker is embedded; None if none is configured.

    Raises:
        ReceiptKeyError: it cannot be read or made.
    """
    path = settings.historian.receipt_key_file
    try:
        if path is None:
            if not settings.broker.embedded:
                return None
            path = settings.site.data / FILE
            _make(path)
        secret = read_secret(located(path))
    except (OSError, ValueError) as error:
        raise ReceiptKeyError(f"the key of the receipts cannot be used: {error}") from error
    if len(secret) < SHORTEST:
        raise ReceiptKeyError(f"{path} holds fewer than {SHORTEST} characters: too few for a key")
    return ReceiptKey(secret)


def _make(path: Path) -> None:
    """Make the file unless it is there; of two processes that start together one makes it for both."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_hex(32) + "\n")
    try:
        os.link(made, path)
    except FileExistsError:
        return
    finally:
        made.unlink()
