"""Whose a file is that the administrator makes for a service: whoever owns its folder."""

from __future__ import annotations

import os
from pathlib import Path


def give_to_owner_of_folder(path: Path) -> None:
    """Let a file that root has made belong to whoever owns its folder; for others nothing is to be done."""
    if os.geteuid() == 0:
        folder = path.parent.stat()
        os.chown(path, folder.st_uid, folder.st_gid, follow_symlinks=False)
