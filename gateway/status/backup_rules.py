"""What deserves a notice of backups: that the last one failed, or that the newest is too old."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.model.status import Status
from gateway.status.notices import Finding, Rule

HOURS_A_DAY = 24.0

BACKUP_FAILED = Rule(
    "backup-failed", "medium", 0.0, 0.0, "the last backup could not be made",
    "Is the backup disk or share there, and is there room? Then: 'sudo systemctl start rehab-gateway-backup'.",
)  # fmt: skip
BACKUP_OLD = Rule(
    "backup-old", "medium", 0.0, 0.0, "there is no backup, or the newest is older than backup.most_hours",
    "Make one: 'sudo systemctl start rehab-gateway-backup'. Without it a broken disk takes everything with it.",
)  # fmt: skip
BACKUP_RULES = (BACKUP_FAILED, BACKUP_OLD)


def backup_findings(status: Status) -> Iterator[Finding]:
    """Yield what is wrong with backups, where the configuration asks for some."""
    backup = status.get("backup") or {}
    if not backup:
        return
    if backup["error"]:
        yield Finding(BACKUP_FAILED, f"The last backup failed: {backup['error']}")
    age_h = backup["age_h"]
    if age_h is None:
        yield Finding(BACKUP_OLD, "No backup has been made yet")
    elif age_h > backup["most_h"]:
        yield Finding(BACKUP_OLD, f"The newest backup is {in_words(age_h)} old")


def in_words(hours: float) -> str:
    """Return an age as people say it."""
    return f"{hours / HOURS_A_DAY:.0f} days" if hours >= 2 * HOURS_A_DAY else f"{hours:.0f} hours"
