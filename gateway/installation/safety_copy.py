"""Consistent copies of data and configuration from before a change of version: for when all else fails.

The way back does not need them, for nothing changes its form meanwhile. They are for a version that spoils what it
should keep. A history that does not fit beside itself is left out, and that is said.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from config import plain_file
from gateway.installation.errors import RefusedError
from gateway.machine import durable
from gateway.machine.file_header import is_database
from gateway.machine.ownership import acting_as_owner_of

FOLDER = "before-upgrade"
PART = f".{FOLDER}.part"
"""As long as it is not whole."""
SIDES = ("-wal", "-shm", "-journal", ".lock")
OTHERS_MOST = 16 * 2**20
"""Larger than this, and it is no file that a program changes: a recording, a log."""
LEFT_OUT = "  {}: left out, the gateway's user may not read it"
SPARE = 256 * 2**20
"""Bytes that stay free: the ward goes on measuring."""
PAGES = 4_096
"""Copied at one time: 16 MB; readers and writers get in between."""
MB = 2**20


def keep(data: Path, history: Path, config: Path, say: Callable[[str], None]) -> Path:
    """Copy data and configuration into ``<data>/before-upgrade``, in place of what was there; return the folder.

    Root does so as the data folder's owner: whoever may write there could have it read and write any other file by a
    link. What that user may not read is left out, and that is said.

    Raises:
        RefusedError: There is no room.
        OSError, sqlite3.Error: It cannot be read or written.
    """
    shutil.rmtree(data / PART, ignore_errors=True)  # follows no link; a version of before left it as root's
    with acting_as_owner_of(data):
        return _keep(data, history, config, say)


def _keep(data: Path, history: Path, config: Path, say: Callable[[str], None]) -> Path:
    kept, part = data / FOLDER, data / PART
    durable.remove_tree(kept)
    sources = [*_files(data, say), *((history,) if history.parent != data and _may_read(history, say) else ())]
    free = shutil.disk_usage(data).free - SPARE
    need = sum(path.stat().st_size for path in sources if path != history)
    if need > free:
        raise RefusedError(f"{data} has {free // MB} MB to spare, and the copies take {need // MB} MB: make room first")
    size = history.stat().st_size if history in sources else 0
    if need + size > free:
        say(f"  no room for a copy of the history ({size // MB} MB): it is left out")
        sources.remove(history)
    part.mkdir(mode=0o750)
    (part / "configuration").mkdir(mode=0o750)
    for path in sources:
        _copy(path, part / path.name, say)
    for path in _files(config.parent, say):
        _copy_file(path, part / "configuration" / path.name)
    _give(part, data)
    _give(part / "configuration", data)
    os.sync()
    part.rename(kept)
    durable.flush_folder(data)
    return kept


def _files(folder: Path, say: Callable[[str], None]) -> Iterator[Path]:
    """Yield the files of a folder that are worth a copy: databases, and small ones."""
    if not os.access(folder, os.R_OK | os.X_OK, effective_ids=True):
        say(LEFT_OUT.format(folder))
        return
    for path in sorted(folder.iterdir()):
        if path.is_symlink() or not path.is_file() or path.name.endswith(SIDES):
            continue
        if _may_read(path, say) and (path.stat().st_size <= OTHERS_MOST or _is_database(path)):
            yield path


def _may_read(path: Path, say: Callable[[str], None]) -> bool:
    try:
        plain_file.read(path, 0)
    except FileNotFoundError:
        return False
    except OSError:
        say(LEFT_OUT.format(path))
        return False
    return True


def _is_database(path: Path) -> bool:
    """Whether a file is a database in use: what was set aside, no program changes."""
    if path.suffix != ".db" and ".left-" not in path.name:
        return False
    return is_database(path)


def _copy(path: Path, target: Path, say: Callable[[str], None]) -> None:
    if not _is_database(path):
        _copy_file(path, target)
        return
    tenths = 0

    def progress(_status: int, remaining: int, total: int) -> None:
        nonlocal tenths
        if total > 4 * PAGES and (now := 10 * (total - remaining) // total) > tenths:
            tenths = now
            say(f"  copying {path.name}: {10 * now} %")

    address = f"{path.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(address, uri=True, timeout=10)) as db, closing(sqlite3.connect(target)) as copy:
        db.execute("BEGIN")  # one state of it, however long it takes
        db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        db.backup(copy, pages=PAGES, progress=progress)
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, which can be moved
    _give(target, path)


def _copy_file(path: Path, target: Path) -> None:
    shutil.copy2(path, target)
    _give(target, path)


def _give(path: Path, like: Path) -> None:
    """Have a copy belong to whom the original does."""
    there = like.stat()
    if path.is_file():
        path.chmod(there.st_mode & 0o7777)
    if os.geteuid() == 0:
        os.chown(path, there.st_uid, there.st_gid)
