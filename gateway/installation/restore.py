"""A backup put back, on this machine or on a new one: read whole first, then put in place, or nothing is changed.

A restored outbox is an older image of itself. Numbers that it gave after the backup may be in a history, and must not
stand for two things: so its life ends here, what it has not sent is sent under its own numbers, and the gateway begins
a new epoch, with an entry in the audit that says so.

Root does in the data folder what it does there as the folder's owner, who may have put links there. What is not of the
data, as the authority's key, that user never sees: until it is laid in its place it is in memory alone.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from config import plain_file
from gateway.installation.archive import MANIFEST, Entry, read_archive
from gateway.installation.backup_contents import SET_BEFORE
from gateway.installation.sealed_file import SealedError, read_header
from gateway.installation.unpacked import DATA, IN_MEMORY, Copies
from gateway.machine.durable import flush_folder
from gateway.machine.file_lock import FileLock, HeldError
from gateway.machine.newer_file import NewerFileError
from gateway.machine.ownership import acting_as_owner_of, folder_of
from gateway.machine.staging import RESTORING, remove_left_over, staged
from gateway.outbox.file import OutboxFile
from gateway.outbox.move import move_on
from gateway.ward.registry import Registry, RegistryError
from gateway.ward.remembered import Recall

OUTBOX, WARD = f"{DATA}outbox.db", f"{DATA}ward.db"
WRITTEN = ("outbox.db", "history.db", "ward.db")
"""Databases that a process holds while it runs."""
SIDES = ("-wal", "-shm", "-journal")
SHOWN = 5
FOLDER_MODE = 0o750
STOP = "sudo systemctl stop rehab-gateway@run rehab-gateway@historian rehab-gateway@dashboard"
USUAL_DATA = "/var/lib/rehab-gateway"
LATEST_US = 2**53
"""The year 2255: a header is anybody's who has the file."""

Say = Callable[[str], None]


class RestoreError(Exception):
    """A backup cannot be put back; the sentence says why, and nothing was changed."""

    advice = "Nothing on this machine was changed."


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put back.

    Attributes:
        about: What the backup says of itself: site, gateway, version, ``made_us``.
        files: How many files.
        unsent: Measurements that the outbox had not delivered, and will now.
        aside: Where what was there before is now, if anything was.
    """

    about: Mapping[str, Any]
    files: int
    unsent: int
    aside: Sequence[Path] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class Piece:
    """One file to be put back.

    Attributes:
        copy: Its unpacked copy.
        target: Where it belongs.
        entry: What the backup says of it.
        folder: As whose owner root puts it there.
    """

    copy: Path
    target: Path
    entry: Entry
    folder: Path

    @property
    def part(self) -> Path:
        """Return its name beside its place, before it has that."""
        return self.target.with_name(f".{self.target.name}.part")


def read_about(path: Path) -> Mapping[str, Any]:
    """Return what a backup says of itself without its key; raises RestoreError."""
    try:
        plain_file.look(path)
        with path.open("rb") as file:
            about = dict(read_header(file).about)
    except (OSError, SealedError) as error:
        raise RestoreError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    if not (isinstance(made := about.get("made_us"), int) and 0 <= made < LATEST_US):
        raise RestoreError(f"{path}: the beginning of the backup cannot be read")
    return about


def restore(path: Path, *, passphrase: str, under: Path = Path("/"), replace: bool = False, say: Say) -> Restored:
    """Put a backup back; raises RestoreError, StagedError.

    Args:
        path: The backup.
        passphrase: What it was encrypted with.
        under: Below which folder: the root puts everything where it was.
        replace: Whether what is there may be put aside.
        say: Told what goes on.
    """
    about = read_about(path)
    data = _below(under, _data_folder(about))
    remove_left_over(data)
    _forget_what_lay_beside(path)
    with ExitStack() as held:
        near = _nearest(data)
        staging = held.enter_context(_staged(near))
        say("reading the backup")
        try:
            copies = Copies(staging, near, held)
            entries = _unpack(path, passphrase, copies)
        except (SealedError, OSError, sqlite3.Error) as error:
            raise RestoreError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
        try:
            pieces = [_piece(copies.of(entry.name), _below(under, entry.path), entry, data) for entry in entries]
            with acting_as_owner_of(near):
                unsent = _begin_new_life(pieces, staging)
                _doubt_ward(pieces)
            _hold(pieces, held)
            _refuse_what_is_there(pieces, replace=replace)
            say(f"putting {len(entries)} files in place")
            aside = _put_in_place(pieces, near)
        except HeldError as error:
            raise RestoreError(f"{error}. First: {STOP}") from error
        except NewerFileError as error:
            newer = f"it was made by version {about.get('version')}, whose files this one does not know"
            raise RestoreError(f"{path}: {newer}: install that version, and restore with it") from error
        except (OSError, sqlite3.Error) as error:
            raise RestoreError(f"it cannot be put back: {_words(error)}") from error
    return Restored(about, len(entries), unsent, aside)


@contextmanager
def _staged(near: Path) -> Iterator[Path]:
    with ExitStack() as held:
        try:
            staging = held.enter_context(staged(near / RESTORING))
        except OSError as error:
            where = f"{near} cannot be written ({error.strerror})"
            raise RestoreError(f"{where}: run this with sudo, or name another place (--under)") from error
        yield staging


def _data_folder(about: Mapping[str, Any]) -> str:
    """Return the data folder of the ward; the usual one where an earlier version did not say."""
    said = about.get("data")
    good = isinstance(said, str) and said.startswith("/") and ".." not in Path(said).parts and "\0" not in said
    return str(said) if good else USUAL_DATA


def _below(under: Path, path: str) -> Path:
    return under / path.lstrip("/")


def _nearest(data: Path) -> Path:
    """Return the data folder, or the nearest one that it will be in: what is in clear lies on its disk and on no other.

    Never beside the backup, which may be on a stick or a share of others.
    """
    return next(folder for folder in (data, *data.parents) if folder.is_dir())


def _forget_what_lay_beside(path: Path) -> None:
    """Remove what an earlier version has left in clear beside a backup, where it was killed."""
    left = path.with_name(f".{path.name}.unpacked")
    if left.is_dir() and not left.is_symlink():
        shutil.rmtree(left, ignore_errors=True)


def _piece(copy: Path, target: Path, entry: Entry, data: Path) -> Piece:
    return Piece(copy, target, entry, folder_of(target, data))


def _unpack(path: Path, passphrase: str, copies: Copies) -> list[Entry]:
    """Unpack everything, and see that it is what was copied; raises SealedError, OSError."""
    sums: dict[str, str] = {}
    manifest: Mapping[str, Any] = {}
    with path.open("rb") as file:
        for name, data in read_archive(file, passphrase):
            if name == MANIFEST:
                manifest = _manifest(data.read())
                continue
            digest = hashlib.sha256()
            with copies.make(name) as copy:
                while piece := data.read(1 << 20):
                    digest.update(piece)
                    copy.write(piece)
            sums[name] = digest.hexdigest()
    entries = [Entry.read(fields) for fields in manifest.get("files", ())]
    if not entries:
        raise SealedError("the backup has no manifest")
    for entry in entries:
        if sums.get(entry.name) != entry.sha256:
            raise SealedError(f"{entry.name} is not what was copied")
        if entry.kind == "database":
            copies.check(entry.name)
    return entries


def _manifest(text: bytes) -> Mapping[str, Any]:
    try:
        return dict(orjson.loads(text))
    except (ValueError, TypeError):
        raise SealedError("the manifest of the backup cannot be read") from None


def _begin_new_life(pieces: list[Piece], staging: Path) -> int:
    """End the life of the restored outbox before it lies where a gateway could go on with it.

    Its piece becomes those of the one left behind and of the new life, in this order; returns how many rows are still
    to be sent.
    """
    old = next((piece for piece in pieces if piece.entry.name == OUTBOX), None)
    if old is None:
        return 0
    folder = staging / "outbox"
    folder.mkdir()
    path = old.copy.rename(folder / old.target.name)
    file = OutboxFile(path)
    waiting = file.depth
    move_on(file, path, given=file.last_seq, stored=file.last_seq)
    pieces.remove(old)
    pieces += [
        dataclasses.replace(old, copy=made, target=old.target.with_name(made.name))
        for made in sorted(folder.iterdir(), reverse=True)
    ]
    return waiting


def _doubt_ward(pieces: Sequence[Piece]) -> None:
    """Have the next start of the gateway say that who is in which bed is as it was, and may be so no more."""
    for piece in (piece for piece in pieces if piece.entry.name == WARD):
        with suppress(RegistryError), closing(Registry(piece.copy)) as ward:  # its start will tell
            ward.apply(Recall(ward=ward.state), at_us=time.time_ns() // 1000, by="", source="restore")


def _hold(pieces: Sequence[Piece], held: ExitStack) -> None:
    """Take the right to write the databases, so that nothing runs on them meanwhile; raises HeldError."""
    for piece in pieces:
        if piece.target.name in WRITTEN and piece.target.parent.is_dir():
            with acting_as_owner_of(piece.folder):
                held.callback(FileLock(piece.target, gateway="restore").release)


def _refuse_what_is_there(pieces: Sequence[Piece], *, replace: bool) -> None:
    there = [str(piece.target) for piece in pieces if os.path.lexists(piece.target)]
    if there and not replace:
        shown = ", ".join(there[:SHOWN]) + (" …" if len(there) > SHOWN else "")
        raise RestoreError(f"there is something already: {shown}. To put it aside and restore all the same: --replace")


def _put_in_place(pieces: Sequence[Piece], near: Path) -> list[Path]:
    """Put all files in place, or none; return the folders with what was there. Raises OSError.

    Each is laid beside its place first, which takes time and room. Then names change, and nothing else.
    """
    moved: list[tuple[Path, Path, Path]] = []
    try:
        for piece in pieces:
            _lay_beside(piece, near)
        aside = _make_room(pieces, moved)
        for piece in pieces:
            _move(piece.part, piece.target, piece.folder, moved)
        for parent, folder in {piece.target.parent: piece.folder for piece in pieces}.items():
            with acting_as_owner_of(folder):
                flush_folder(parent)
    except BaseException:
        for source, target, folder in reversed(moved):
            with acting_as_owner_of(folder):
                target.rename(source)
        for piece in pieces:
            with acting_as_owner_of(piece.folder):
                piece.part.unlink(missing_ok=True)
        raise
    return aside


def _move(source: Path, target: Path, folder: Path, moved: list[tuple[Path, Path, Path]]) -> None:
    with acting_as_owner_of(folder):
        source.rename(target)
    moved.append((source, target, folder))


def _make_room(pieces: Sequence[Piece], moved: list[tuple[Path, Path, Path]]) -> list[Path]:
    """Put aside what is in the way; return the folders with it."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    aside: dict[Path, None] = {}
    there = {piece.target: piece.folder for piece in pieces}
    sides = {path.with_name(path.name + side): folder for path, folder in there.items() for side in SIDES}
    for path, owners in {**there, **sides}.items():
        if not os.path.lexists(path):
            continue
        folder = path.parent / f"{SET_BEFORE}{stamp}"
        with acting_as_owner_of(owners):
            folder.mkdir(mode=0o700, exist_ok=True)
        _move(path, folder / path.name, owners, moved)
        aside[folder] = None
    return list(aside)


def _lay_beside(piece: Piece, near: Path) -> None:
    """Write a file beside its place, with its rights and, for root, its owner; nobody else reads it meanwhile."""
    with acting_as_owner_of(near):
        copy = piece.copy.open("rb")
        if not piece.copy.is_relative_to(IN_MEMORY):
            piece.copy.unlink()
    with acting_as_owner_of(piece.folder):  # of the nearest folder that is there: root's, on a new machine
        folders = (piece.part.parent, *piece.part.parent.parents)
        missing = [folder for folder in folders if not folder.exists()]
        piece.part.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        for folder in missing:
            _give(folder, piece.entry)
    with copy, acting_as_owner_of(piece.folder):
        piece.part.unlink(missing_ok=True)
        number = os.open(piece.part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(number, "wb") as part:
            shutil.copyfileobj(copy, part)
            part.flush()
            os.fsync(part.fileno())
        _give(piece.part, piece.entry)
        piece.part.chmod(piece.entry.mode)


def _give(path: Path, entry: Entry) -> None:
    if os.geteuid() != 0:
        return
    for who in ({"user": entry.owner}, {"group": entry.group}):
        try:
            if next(iter(who.values())):
                shutil.chown(path, **who)
        except LookupError:
            continue  # a user of the other machine: root's, until somebody says whose


def _words(error: OSError | sqlite3.Error) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}{f': {error.filename}' if error.filename else ''}"
    return str(error)
