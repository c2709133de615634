"""The sum of a file: by it packages, bundles and backups are known as what was signed or copied."""

from __future__ import annotations

from hashlib import file_digest
from pathlib import Path


def sum_of_file(path: Path) -> str:
    """Return the SHA-256 of a file, as ``sha256sum`` writes it; read in parts, however large. Raises OSError."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
