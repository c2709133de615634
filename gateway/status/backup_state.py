"""What is known of backups on this machine: when the newest was made, and why the last try failed.

``rehab-gateway backup`` writes it into the data folder; the gateway, ``status`` and ``doctor`` read it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from config import plain_file
from config.settings import Settings
from gateway.machine import durable
from gateway.machine.private_files import MODE
from gateway.model.machine_status import BackupStatus

FILE = "backup.json"
LOOK_EVERY_S = 60.0
"""A backup takes place once a day."""
LARGEST_BYTES = 10_000
MICRO = 1_000_000
HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class BackupState:
    """The newest backup and the last try; times in UTC microseconds, 0 for never.

    Attributes:
        made_us: To when the newest backup that was verified reaches.
        file: Its name.
        tried_us: When the last one was tried.
        error: Why that failed; empty if it did not.
    """

    made_us: int = 0
    file: str = ""
    tried_us: int = 0
    error: str = ""


def read_backup_state(data: Path) -> BackupState:
    """Return what is known; nothing where there is no file, or none that can be read."""
    path = data / FILE
    try:
        found = orjson.loads(plain_file.read(path, LARGEST_BYTES))
        return BackupState(int(found["made_us"]), str(found["file"]), int(found["tried_us"]), str(found["error"]))
    except (OSError, ValueError, KeyError, TypeError):
        return BackupState()


def write_backup_state(data: Path, state: BackupState) -> None:
    """Keep what is known, whole or not at all; raises OSError."""
    durable.replace_file(data / FILE, orjson.dumps(asdict(state)) + b"\n", mode=MODE)


class BackupWatch:
    """What the status says of backups, looked up once in a while.

    Args:
        settings: Whether and how often they are to be made.
        clock: Monotonic seconds.
        wall: UTC seconds.
    """

    def __init__(
        self, settings: Settings, *, clock: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._clock, self._wall = clock, wall
        self._looked_s = -LOOK_EVERY_S
        self._found = BackupState()

    def status(self) -> BackupStatus:
        """Return age and error of the newest backup; empty where none are configured."""
        if self._settings.backup.folder is None:
            return {}
        now_s = self._clock()
        if now_s - self._looked_s >= LOOK_EVERY_S:
            self._looked_s = now_s
            self._found = read_backup_state(self._settings.site.data)
        made_us, most_h = self._found.made_us, self._settings.backup.most_hours
        age_h = round((self._wall() - made_us / MICRO) / HOUR_S, 2) if made_us else None
        return {"age_h": age_h, "most_h": most_h, "error": self._found.error}
