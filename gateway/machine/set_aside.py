"""Files that cannot be gone on with are renamed, never deleted."""

from __future__ import annotations

from pathlib import Path

CORRUPT = "corrupt"


def set_aside(path: Path, kind: str = CORRUPT) -> Path:
    """Rename a file that cannot be gone on with, and its log, to ``<name>.<kind>-<n>``; return the new name."""
    n = 1
    while any((kept := path.with_name(f"{path.name}.{kind}-{n}")).parent.glob(f"{kept.name}*")):
        n += 1
    for suffix in ("", "-wal", "-shm"):
        piece = path.with_name(path.name + suffix)
        if piece.exists():
            piece.rename(kept.with_name(kept.name + suffix))
    return kept
