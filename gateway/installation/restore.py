"""A backup put back, on this machine or on a new one: read whole first, then put in place, or nothing is changed.

A restored outbox is an older image of itself. Numbers that it gave after the backup may be in a history, and must not
stand for two things: so its life ends here, what it has not sent is sent under its own numbers, and the gateway begins
a new epoch, with an entry in the audit that says so.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from gateway.installation.archive import MANIFEST, Entry, read_archive
from gateway.installation.backup_contents import SET_BEFORE
from gateway.installation.sealed_file import SealedError, read_header
from gateway.machine.file_lock import FileLock
from gateway.outbox.file import OutboxFile
from gateway.outbox.move import left_behind, move_on

OUTBOX = "data/outbox.db"
WRITTEN = ("outbox.db", "history.db", "ward.db")
"""Databases that a process holds while it runs."""
SIDES = ("-wal", "-shm", "-journal")
SHOWN = 5
FOLDER_MODE = 0o750
MICRO = 1_000_000

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


def read_about(path: Path) -> Mapping[str, Any]:
    """Return what a backup says of itself without its key; raises RestoreError."""
    try:
        with path.open("rb") as file:
            return dict(read_header(file).about)
    except (OSError, SealedError) as error:
        raise RestoreError(f"{path}: {getattr(error, 'strerror', None) or error}") from None


def restore(path: Path, *, passphrase: str, under: Path = Path("/"), replace: bool = False, say: Say) -> Restored:
    """Put a backup back; raises RestoreError, HeldError.

    Args:
        path: The backup.
        passphrase: What it was encrypted with.
        under: Below which folder: the root puts everything where it was.
        replace: Whether what is there may be put aside.
        say: Told what goes on.
    """
    about = read_about(path)
    staging = _staging(path, under)
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(mode=0o700, parents=True)
    try:
        say("reading the backup")
        try:
            entries = _unpack(path, passphrase, staging)
        except (SealedError, OSError, sqlite3.Error) as error:
            raise RestoreError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
        targets = {entry.name: under / entry.path.lstrip("/") for entry in entries}
        with ExitStack() as held:
            _hold(targets, held)
            aside = _make_room(targets, replace=replace)
            say(f"putting {len(entries)} files in place")
            for entry in entries:
                _place(staging / hashlib.sha256(entry.name.encode()).hexdigest(), targets[entry.name], entry)
            unsent = _begin_new_life(targets, entries)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return Restored(about, len(entries), unsent, aside)


def _staging(path: Path, under: Path) -> Path:
    """Return a folder for what is unpacked: beside the system's data, which is where there is room for it."""
    base = under / "var/lib" if (under / "var/lib").is_dir() and os.access(under / "var/lib", os.W_OK) else path.parent
    return base / f".{path.name}.unpacked"


def _unpack(path: Path, passphrase: str, staging: Path) -> list[Entry]:
    """Unpack everything, and see that it is what was copied; raises SealedError, OSError."""
    sums: dict[str, str] = {}
    manifest: Mapping[str, Any] = {}
    with path.open("rb") as file:
        for name, data in read_archive(file, passphrase):
            if name == MANIFEST:
                manifest = orjson.loads(data.read())
                continue
            digest = hashlib.sha256()
            target = staging / hashlib.sha256(name.encode()).hexdigest()  # a name leads nowhere here
            with target.open("xb") as copy:
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
            _check(staging / hashlib.sha256(entry.name.encode()).hexdigest(), entry.name)
    return entries


def _check(copy: Path, name: str) -> None:
    with closing(sqlite3.connect(copy)) as db:
        (answer,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if answer != "ok":
        raise SealedError(f"{name} is damaged: {answer}")


def _hold(targets: Mapping[str, Path], held: ExitStack) -> None:
    """Take the right to write the databases, so that nothing runs on them meanwhile; raises HeldError."""
    for target in targets.values():
        if target.name in WRITTEN and target.parent.is_dir():
            held.callback(FileLock(target, gateway="restore").release)


def _make_room(targets: Mapping[str, Path], *, replace: bool) -> list[Path]:
    """Put aside what is in the way; raises RestoreError where that is not allowed."""
    there = [path for path in targets.values() if os.path.lexists(path)]
    if there and not replace:
        shown = ", ".join(map(str, there[:SHOWN])) + (" …" if len(there) > SHOWN else "")
        raise RestoreError(f"there is something already: {shown}. To put it aside and restore all the same: --replace")
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    aside: dict[Path, None] = {}
    sides = [path.with_name(path.name + side) for path in targets.values() for side in SIDES]
    for path in [*there, *filter(os.path.lexists, sides)]:
        folder = path.parent / f"{SET_BEFORE}{stamp}"
        if not folder.exists():
            folder.mkdir(mode=0o700)
        path.rename(folder / path.name)
        aside[folder] = None
    return list(aside)


def _place(copy: Path, target: Path, entry: Entry) -> None:
    """Put one file where it was, whole or not at all, with its rights and, for root, its owner."""
    missing = [folder for folder in (target.parent, *target.parent.parents) if not folder.exists()]
    target.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    shutil.copyfile(copy, part)
    part.chmod(entry.mode)
    _give(part, entry)
    for folder in missing:
        _give(folder, entry)
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(target)


def _give(path: Path, entry: Entry) -> None:
    if os.geteuid() != 0:
        return
    for who in ({"user": entry.owner}, {"group": entry.group}):
        try:
            if next(iter(who.values())):
                shutil.chown(path, **who)
        except LookupError:
            continue  # a user of the other machine: root's, until somebody says whose


def _begin_new_life(targets: Mapping[str, Path], entries: Sequence[Entry]) -> int:
    """End the life of the restored outbox; return how many rows of it are still to be sent."""
    path = targets.get(OUTBOX)
    if path is None:
        return 0
    file = OutboxFile(path)
    waiting, epoch = file.depth, file.epoch
    move_on(file, path, given=file.last_seq, stored=file.last_seq)
    entry = next(entry for entry in entries if entry.name == OUTBOX)
    for made in (path, left_behind(path, epoch), *(Path(f"{path}{side}") for side in SIDES)):
        if made.exists():
            made.chmod(entry.mode)
            _give(made, entry)
    return waiting
