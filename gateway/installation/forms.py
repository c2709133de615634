"""The forms (schemas) of the files that outlive a version: those this program writes, and those that lie here.

A program says for itself which forms it goes on with without changing them, and another asks it before it takes its
place: so a version that would have to change a file first is refused before anything is stopped.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import orjson

from config.settings import Settings
from gateway.audit import access_log
from gateway.history import schema as history
from gateway.intake import known_devices
from gateway.machine.ownership import acting_as_owner_of
from gateway.outbox import schema as outbox
from gateway.status import kept_notices
from gateway.ward import registry

Forms = Mapping[str, list[int]]
"""By kind of file the versions that a program reads and writes as they are, the present one last."""
BUSY_S = 5.0


def forms() -> Forms:
    """Return the forms of this program."""
    return {
        "outbox": [outbox.SCHEMA_VERSION],
        "history": sorted(history.WRITABLE),
        "ward": [registry.SCHEMA_VERSION],
        "access": [0, access_log.SCHEMA_VERSION],
        "notices": [kept_notices.VERSION],
        "known-devices": [known_devices.VERSION],
    }


def forms_here(settings: Settings) -> dict[str, tuple[Path, int]]:
    """Return the files that are here, by kind, with the version of each; what cannot be read is left out."""
    data = settings.site.data
    databases = {
        "outbox": data / "outbox.db", "history": settings.history_file, "ward": data / "ward.db",
        "access": data / access_log.NAME,
    }  # fmt: skip
    objects = {"notices": (data / kept_notices.NAME, "v"), "known-devices": (data / known_devices.FILE, "version")}
    with acting_as_owner_of(data):
        found = {kind: (path, _schema(path)) for kind, path in databases.items()}
        found |= {kind: (path, _number(path, key)) for kind, (path, key) in objects.items()}
    return {kind: (path, version) for kind, (path, version) in found.items() if version is not None}


def misfits(here: Mapping[str, tuple[Path, int]], program: Forms) -> list[str]:
    """Return a sentence for each file that a program would have to change, or does not know."""
    return [
        f"{path} is of version {version}, and it goes on with {', '.join(map(str, program[kind]))}"
        for kind, (path, version) in here.items()
        if kind in program and version not in program[kind]
    ]


def _schema(path: Path) -> int | None:
    try:
        if not path.stat().st_size:
            return None
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)) as db:
            if not db.execute("SELECT 1 FROM sqlite_master").fetchone():
                return None  # begun, and not made yet
            return int(db.execute("PRAGMA user_version").fetchone()[0])
    except (OSError, sqlite3.Error):
        return None


def _number(path: Path, key: str) -> int | None:
    try:
        found = orjson.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    version = found.get(key) if isinstance(found, dict) else None
    return version if type(version) is int else None
