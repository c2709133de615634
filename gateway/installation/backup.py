"""Backups: one encrypted file with everything of a ward, taken while it runs, read again before it counts.

Databases are copied by SQLite itself, each as it was at one moment; a compressed archive of the copies is encrypted
with a key that only the site has. Nothing of it is ever in clear anywhere but in the data folder.

Root does in the data folder, and in that of the backups, what it does there as the folder's owner.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import re
import shutil
import sqlite3
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import IO, cast

import orjson
import zstandard

from config.settings import Settings
from gateway.installation.archive import MANIFEST, Entry, entry_of, put, read_archive
from gateway.installation.backup_contents import Content, LinkedError, contents
from gateway.installation.backup_sending import SendError, send
from gateway.installation.sealed_file import SealedError, SealedWriter
from gateway.machine.file_header import is_database
from gateway.machine.file_lock import FileLock
from gateway.machine.ownership import acting_as_owner_of, folder_of, name_of
from gateway.machine.staging import BACKING_UP, StagedError, remove_left_over, staged
from gateway.status.backup_state import FILE, BackupState, read_backup_state, write_backup_state

SUFFIX, PART = ".rgbackup", ".part"
PAGES = 4096
"""Copied between two words of progress: 16 MB."""
SAY_EVERY_S = 2.0
BUSY_S = 30.0
MOST_SAID = 20
"""Links that are named one by one; all of them stand in the manifest."""
MICRO = 1_000_000
LEVEL = 3
"""Of zstd: quick, and a history shrinks to a third."""
MODE = 0o600

PAUSES_S = (10.0, 60.0, 300.0)
"""Before a backup is begun anew whose disk or share was cut off: a hand on a plug, a switch, a server that starts."""
CUT_OFF = frozenset({
    errno.EIO, errno.ENODEV, errno.ENXIO, errno.ESTALE, errno.ENOTCONN, errno.EHOSTDOWN, errno.EHOSTUNREACH,
    errno.ENETUNREACH, errno.ENETDOWN, errno.ETIMEDOUT, errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE,
    errno.ESHUTDOWN, errno.EREMOTEIO, errno.EROFS, errno.ENOENT,
})  # fmt: skip
"""What a stick says that was pulled out, and a share whose server is not reached. A full disk is none of it."""

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})

Say = Callable[[str], None]
Pause = Callable[[float], None]


class BackupError(Exception):
    """A backup cannot be made; the sentence says why."""

    advice = "Mend that and try again; the backups that there are were left alone."


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that was made and read again.

    Attributes:
        path: The file.
        made_us: To when it reaches, UTC microseconds.
        bytes: How large it is.
        files: How many files are in it.
        deleted: How many older ones went for it.
        links: How many links were not followed.
        lacks: What is not in it that ought to be, in a sentence; empty if nothing.
    """

    path: Path
    made_us: int
    bytes: int
    files: int
    deleted: int
    links: int
    lacks: str = ""


@dataclass(slots=True)
class _LeftOut:
    """What is not in a backup: links, and what of the data its owner may not read."""

    links: list[Path] = field(default_factory=list)
    closed: list[Path] = field(default_factory=list)

    def lacks(self, data: Path) -> str:
        """Return what ought to be in it, in a sentence with what to do; empty if nothing."""
        if not self.closed:
            return ""
        more = f" and {len(self.closed) - 1} more" if len(self.closed) > 1 else ""
        return f"the backup lacks {self.closed[0]}{more}: {_who_may_not_read(data)}"


def make_backup(
    settings: Settings, configuration: Path, folder: Path, *, passphrase: str, say: Say, pause: Pause = time.sleep
) -> Made:
    """Make a backup and note what became of it; raises BackupError, HeldError.

    A disk or share that is cut off in the middle is waited for, and the backup begun anew. One that is to be sent and
    could not be stays where it is, and is a failed one.

    Args:
        settings: Of the ward.
        configuration: Their file.
        folder: Where backups are; must be there, so that a share that is not mounted is noticed.
        passphrase: What it is encrypted with.
        say: Told what goes on, whenever that takes longer.
        pause: Waits so many seconds.
    """
    data = settings.site.data
    if not data.is_dir():
        raise BackupError(f"there is no data folder {data}: nothing was measured yet")
    remove_left_over(data)
    with acting_as_owner_of(data):
        before, now_us = read_backup_state(data), time.time_ns() // 1000
        lock = FileLock(data / FILE, gateway=settings.site.gateway)
    try:
        made = _make_though_cut_off(settings, configuration, folder, passphrase=passphrase, say=say, pause=pause)
    except (OSError, sqlite3.Error, SealedError, BackupError, LinkedError, StagedError) as error:
        reason = _words(error) + _room(error, folder, data)
        _note(data, BackupState(before.made_us, before.file, now_us, reason))
        raise BackupError(reason) from error
    finally:
        lock.release()
    try:
        send(made.path, settings.backup, say=say, pause=pause)
    except SendError as error:
        _note(data, BackupState(made.made_us, made.path.name, now_us, str(error)))
        raise BackupError(str(error)) from error
    _note(data, BackupState(made.made_us, made.path.name, now_us, made.lacks))
    return made


def _note(data: Path, state: BackupState) -> None:
    with acting_as_owner_of(data):
        write_backup_state(data, state)


def _make_though_cut_off(
    settings: Settings, configuration: Path, folder: Path, *, passphrase: str, say: Say, pause: Pause
) -> Made:
    if not folder.is_dir():
        raise BackupError(f"{folder} is not there: is the backup disk plugged in, or the share mounted?")
    mounted = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.is_mount())
    pauses = iter(PAUSES_S)
    while True:
        try:
            _see_that_it_is_mounted(mounted)
            with staged(settings.site.data / BACKING_UP) as staging:
                return _make(settings, configuration, folder, staging, passphrase=passphrase, say=say)
        except (OSError, SealedError) as error:
            if isinstance(error, OSError) and error.errno not in CUT_OFF:
                raise
            words, pause_s = f"{folder} was cut off in the middle ({_words(error)})", next(pauses, None)
            if pause_s is None:
                advice = "look at its cable, its power and the network"
                raise BackupError(f"{words}, {len(PAUSES_S) + 1} times: {advice}") from error
            say(f"{words}: plug it in, or mount it; again in {pause_s:.0f} s")
            pause(pause_s)


def _see_that_it_is_mounted(place: Path) -> None:
    """Raise OSError where a disk is away: nothing is written beneath the place where it was."""
    if not place.is_mount():
        raise OSError(errno.ENODEV, "it is no longer mounted")


def _make(settings: Settings, configuration: Path, folder: Path, staging: Path, *, passphrase: str, say: Say) -> Made:
    made_us = time.time_ns() // 1000
    stamp = datetime.fromtimestamp(made_us / MICRO, UTC).strftime("%Y%m%dT%H%M%SZ")
    path = folder / f"{settings.site.gateway}-{stamp}{SUFFIX}"
    part = folder / f".{path.name}{PART}"
    owners = folder_of(path, settings.site.data)
    about = {"site": settings.site.site, "gateway": settings.site.gateway, "made_us": made_us,
             "data": str(settings.site.data.absolute()), "version": version("rehab-gateway")}  # fmt: skip
    left = _LeftOut()
    try:
        with acting_as_owner_of(owners):
            _clear_parts(folder, settings.site.gateway)
            number = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE)
        with os.fdopen(number, "wb") as file:
            sealed = SealedWriter(file, passphrase, about)
            found = contents(settings, configuration, left.links.append, left.closed.append)
            entries = _write(sealed, found, staging, left, say)
            file.flush()
            os.fsync(file.fileno())
        say("reading it again")
        with acting_as_owner_of(owners):
            verify(part, passphrase, entries)
            part.replace(path)
            _sync_folder(folder)
            deleted = _delete_older(path, settings.site.gateway, settings.backup.keep)
            size = path.stat().st_size
    except BaseException:
        with suppress(OSError), acting_as_owner_of(owners):  # what is gone cannot be tidied; the next backup does
            part.unlink(missing_ok=True)
        raise
    return Made(path, made_us, size, len(entries), deleted, len(left.links), left.lacks(settings.site.data))


def _write(sealed: SealedWriter, found: Iterator[Content], staging: Path, left: _LeftOut, say: Say) -> list[Entry]:
    """Put each file into the archive, and say in its manifest what is in it, and what is not."""
    entries: list[Entry] = []
    with (
        zstandard.ZstdCompressor(level=LEVEL).stream_writer(cast("IO[bytes]", sealed), closefd=False) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as archive,
    ):
        for number, content in enumerate(found):
            with _only_if_there(content.source), _only_if_open(content, left):
                entries.append(_add(archive, content, staging / str(number), say))
        for path in left.links[:MOST_SAID]:
            say(f"left out: {path} is a link, and links are not followed")
        for path in left.closed[:MOST_SAID]:
            say(f"left out: {path} may not be read by the data folder's owner")
        files, names = [entry.fields() for entry in entries], {"links": left.links, "closed": left.closed}
        not_there = {name: [str(path) for path in paths] for name, paths in names.items()}
        put(archive, MANIFEST, io.BytesIO(orjson.dumps({**sealed.about, "files": files, **not_there})))
    sealed.seal()
    return entries


def _add(archive: tarfile.TarFile, content: Content, copy: Path, say: Say) -> Entry:
    """Put one file into the archive; of the data a copy, which nobody goes on writing.

    What is root's, as the key of the authority, is read where it lies: the owner of a copy is the data folder's.
    """
    with acting_as_owner_of(content.folder):
        kind = _copy(content.source, copy, say) if content.of_services else "file"
        there = content.source.stat()
        file = open(copy if content.of_services else content.source, "rb", opener=_no_link)  # noqa: SIM115
        if content.of_services:
            copy.unlink()
    with file:
        return entry_of(content, there, kind, put(archive, content.name, file))


@contextmanager
def _only_if_open(content: Content, left: _LeftOut) -> Iterator[None]:
    """Leave out what of the data its owner may not read, as a file that root has made there; raises BackupError."""
    try:
        yield
    except PermissionError as error:
        if not content.of_services or error.filename != str(content.source):
            raise
        if content.vital:
            raise BackupError(f"{content.source}: {_who_may_not_read(content.folder)}") from error
        left.closed.append(content.source)


def _who_may_not_read(data: Path) -> str:
    owner = name_of(data.stat().st_uid)
    return f"{owner}, whose data it is, may not read it (sudo chown -R {owner.split()[-1]} {data})"


@contextmanager
def _only_if_there(path: Path) -> Iterator[None]:
    """Leave out what went away while we came to it, as files of an earlier life of the outbox do."""
    try:
        yield
    except FileNotFoundError:
        if path.exists():
            raise


def _copy(source: Path, target: Path, say: Say) -> str:
    """Copy a file as it is at one moment; return what kind of file it is."""
    if is_database(source):
        try:
            copy_database(source, target, say)
        except sqlite3.DatabaseError as error:
            if "malformed" not in str(error) and "not a database" not in str(error):
                raise
            target.unlink(missing_ok=True)  # one that was set aside because it is damaged: copied as it is
        else:
            return "database"
    with open(source, "rb", opener=_no_link) as reading, target.open("wb") as writing:
        shutil.copyfileobj(reading, writing)
    return "file"


def _no_link(path: str, flags: int) -> int:
    """Open a file that may have become a link since it was looked at; raises OSError for one."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)


def copy_database(source: Path, target: Path, say: Say) -> None:
    """Copy a database that others write, as of one moment, and check the copy; raises sqlite3.Error.

    The open transaction holds that moment: the writer goes on beside it, and the copy does not begin anew.
    """
    said_s = time.monotonic()

    def look(_status: int, left: int, total: int) -> None:
        nonlocal said_s
        if total and time.monotonic() - said_s >= SAY_EVERY_S:
            said_s = time.monotonic()
            say(f"copying {source.name}, {100 * (total - left) // total} %")

    with (
        closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)) as db,
        closing(sqlite3.connect(target, isolation_level=None)) as copy,
    ):
        db.isolation_level = None
        db.execute("BEGIN")
        db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        db.backup(copy, pages=PAGES, progress=look)
        copy.execute("PRAGMA journal_mode=DELETE")  # one file
        (answer,) = copy.execute("PRAGMA quick_check(1)").fetchone()
        if answer != "ok":
            raise sqlite3.DatabaseError(f"{source.name} is malformed: {answer}")


def verify(path: Path, passphrase: str, expected: list[Entry]) -> None:
    """Read a backup as a restore would, and see that each file is what was copied; raises SealedError."""
    found: dict[str, str] = {}
    with path.open("rb") as file:
        for name, data in read_archive(file, passphrase):
            digest = hashlib.sha256()
            while piece := data.read(1 << 20):
                digest.update(piece)
            found[name] = digest.hexdigest()
    wrong = [entry.name for entry in expected if found.get(entry.name) != entry.sha256]
    if wrong or MANIFEST not in found:
        raise SealedError(f"the backup was read again and is not what was written: {', '.join(wrong) or MANIFEST}")


def _delete_older(made: Path, gateway: str, keep: int) -> int:
    """Delete all but the newest backups of this gateway; return how many. Names sort by time.

    The one that was just made stays whatever its name says: the clock may have been behind.
    """
    older = [path for path in backups_of(made.parent, gateway) if path != made]
    old = older[: max(0, len(older) - (keep - 1))]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)


def _clear_parts(folder: Path, gateway: str) -> None:
    """Delete what backups of this gateway have left that were killed; whoever calls this is the only one at it.

    So goes what a restore of an earlier version has left there, in clear.
    """
    for part in backups_of(folder, gateway, ".", PART):
        part.unlink(missing_ok=True)
    for unpacked in backups_of(folder, gateway, ".", ".unpacked"):
        shutil.rmtree(unpacked, ignore_errors=True)


def backups_of(folder: Path, gateway: str, before: str = "", after: str = "") -> list[Path]:
    """Return the backups of a gateway in a folder, the oldest first, or what has more before or after such a name."""
    head, tail = re.escape(f"{before}{gateway}-"), re.escape(f"{SUFFIX}{after}")
    name = re.compile(rf"{head}\d{{8}}T\d{{6}}Z{tail}")
    return sorted(path for path in folder.iterdir() if name.fullmatch(path.name))


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    except OSError:  # some shares cannot; the file itself is safe
        return
    finally:
        os.close(number)


def _room(error: Exception, *folders: Path) -> str:
    """Return how much room there is where a backup is made, if that was why: the system says no name of it."""
    if not isinstance(error, OSError) or error.errno not in FULL:
        return ""
    free = (f"{folder} has {shutil.disk_usage(folder).free / 1e6:.1f} MB free" for folder in folders)
    needs = "a backup needs room for itself in the first, and for a copy of the history in the second"
    return f": {', and '.join(free)}; {needs}"


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}{f': {error.filename}' if error.filename else ''}"
    return " ".join(str(error).split())
