"""What deserves a notice of backups: that the last one failed, or that the newest is too old."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.model.status import Status
from gateway.status.notices import Finding, Rule, finding

HOURS_A_DAY = 24.0

BACKUP_FAILED = Rule(
    "backup-failed", "medium", 0.0, 0.0, "the last backup could not be made",
)  # fmt: skip
BACKUP_OLD = Rule(
    "backup-old", "medium", 0.0, 0.0, "there is no backup, or the newest is older than backup.most_hours",
)  # fmt: skip
BACKUP_RULES = (BACKUP_FAILED, BACKUP_OLD)


def backup_findings(status: Status) -> Iterator[Finding]:
    """Yield what is wrong with backups, where the configuration asks for some."""
    backup = status.get("backup") or {}
    if not backup:
        return
    if backup["error"]:
        yield finding(BACKUP_FAILED, why=backup["error"])
    age_h = backup["age_h"]
    if age_h is None:
        yield finding(BACKUP_OLD, variant="none")
    elif age_h > backup["most_h"]:
        days = age_h >= 2 * HOURS_A_DAY
        yield finding(BACKUP_OLD, variant="" if days else "hours", n=round(age_h / HOURS_A_DAY if days else age_h))
