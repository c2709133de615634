"""What a gateway says of its backups."""

from __future__ import annotations

from typing import TypedDict


class BackupStatus(TypedDict, total=False):
    """How old the newest backup is, in hours, and how old it may be; ``age_h`` None where there is none."""

    age_h: float | None
    most_h: float
    error: str
