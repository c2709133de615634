"""Secrets: read when they are needed, from files that hold nothing else; never kept in settings, never shown.

A path that begins with ``$CREDENTIALS_DIRECTORY/`` names a credential that systemd hands to the service
(``LoadCredential=`` in its unit); no other variable means anything in a path.
"""

from __future__ import annotations

import os
from pathlib import Path

from config import plain_file
from config.hand_text import NotTextError, text_of

CREDENTIALS = "CREDENTIALS_DIRECTORY"
LARGEST_BYTES = 65536


class SecretError(ValueError):
    """A file that should hold a secret does not; the message has its path, and no word of what is in it."""


def located(path: Path) -> Path:
    """Return where a credential lies; other paths as they are, and also this one outside a service of systemd."""
    folder = os.environ.get(CREDENTIALS, "")
    if folder and path.parts[:1] == (f"${CREDENTIALS}",):
        return Path(folder, *path.parts[1:])
    return path


def read_secret(path: Path) -> str:
    """Return the text of a file without the space around it.

    Raises:
        OSError: it cannot be read; the text of the error has the path, and no word of what is in it.
        SecretError: it is no file, empty, too large or not text.
    """
    try:
        data = plain_file.read(path, LARGEST_BYTES)
    except plain_file.NoFileError as error:
        raise SecretError(f"{path} holds no secret: {error.strerror}") from None
    try:
        text = text_of(data if len(data) <= LARGEST_BYTES else b"").strip()
    except NotTextError as error:
        raise SecretError(f"{path} holds no secret: it {error}") from None
    if not text or "\0" in text:
        raise SecretError(f"{path} holds no secret: it is empty, too large or not text")
    return text
