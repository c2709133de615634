"""Secrets: read when they are needed, from files that hold nothing else; never kept in settings, never shown.

A path that begins with ``$CREDENTIALS_DIRECTORY/`` names a credential that systemd hands to the service
(``LoadCredential=`` in its unit); no other variable means anything in a path.
"""

from __future__ import annotations

import os
from pathlib import Path

CREDENTIALS = "CREDENTIALS_DIRECTORY"
LARGEST_BYTES = 65536


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
        ValueError: it is empty, too large or not text.
    """
    data = path.read_bytes() if path.stat().st_size <= LARGEST_BYTES else b""
    try:
        text = data.decode("utf-8-sig").strip()  # editors of Windows put a mark before it
    except UnicodeDecodeError:
        text = ""
    if not text or "\0" in text:
        raise ValueError(f"{path} holds no secret: it is empty, too large or not text")
    return text
