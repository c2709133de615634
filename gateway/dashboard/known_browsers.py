"""Browsers that have signed somebody in before: a signed cookie tells them from strangers (OWASP, "device cookies").

It opens nothing. Wrong passwords from elsewhere make strangers wait, and not the browser on which a nurse works.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import os
import re
import secrets
from pathlib import Path

from gateway.dashboard.users import User

log = logging.getLogger(__name__)

KEY_NAME = "browsers.key"
KEY_BYTES = 32
NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")
"""Of a local user, or of somebody whom a trust's sign-in names, with an @."""
MODE = 0o600
KEEP_S = 180 * 86400
"""A browser that was not used for half a year is a stranger."""
USERS = 8
"""Users that one browser is known to have: the tablet of a team. Who has not signed in for longest goes."""
SIGNATURE_BYTES = 16


class KnownBrowsers:
    """Makes and reads the cookie: ``name:number:signature`` of each user, separated by ``~``, newest first."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def number(self, cookie: str, user: User | None) -> str:
        """Return the number of a browser that has signed this user in; empty for a stranger."""
        if user is None:
            return ""
        for name, number, signature in _entries(cookie):
            if name == user.name and hmac.compare_digest(signature, self._sign(user, number)):
                return number
        return ""

    def with_user(self, cookie: str, user: User) -> str:
        """Return the cookie with a user, who has signed in, put first."""
        number = self.number(cookie, user) or secrets.token_urlsafe(12)
        mine = ":".join((user.name, number, self._sign(user, number)))
        others = [":".join(entry) for entry in _entries(cookie) if entry[0] != user.name]
        return "~".join([mine, *others][:USERS])

    def names(self, cookie: str) -> list[str]:
        """Return the names that a cookie claims, newest first: `number` tells of which that is true."""
        return [name for name, _, _ in _entries(cookie)]

    def numbers(self, cookie: str, name: str) -> list[str]:
        """Return the numbers that a cookie claims for a name."""
        return [number for claimed, number, _ in _entries(cookie) if claimed == name]

    def _sign(self, user: User, number: str) -> str:
        """Sign a number; the user's hash is in it, so that a new password makes every browser a stranger."""
        claim = f"{user.name}\n{number}\n{user.hash}".encode()
        made = hmac.new(self._key, claim, hashlib.sha256).digest()[:SIGNATURE_BYTES]
        return base64.urlsafe_b64encode(made).rstrip(b"=").decode()


def _entries(cookie: str) -> list[tuple[str, str, str]]:
    if not cookie.isascii():
        return []
    split = [tuple(entry.split(":")) for entry in cookie.split("~")[:USERS]]
    return [(entry[0], entry[1], entry[2]) for entry in split if len(entry) == 3 and NAME.fullmatch(entry[0])]


def load_key(folder: Path) -> bytes:
    """Return the key in a folder, made at the first start; one for this run only where it cannot be kept."""
    path = folder / KEY_NAME
    try:
        if path.exists() and len(key := path.read_bytes()) == KEY_BYTES:
            return key
        folder.mkdir(parents=True, exist_ok=True)
        key = secrets.token_bytes(KEY_BYTES)
        made = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        handle = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE)
        with os.fdopen(handle, "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
        made.replace(path)
    except OSError as error:
        log.warning("%s cannot be kept (%s): after a restart every browser is a stranger", path, error.strerror)
        return secrets.token_bytes(KEY_BYTES)
    return key
