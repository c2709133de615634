"""Where a subject may still be named, outside the history: files of this machine, retained topics, the remote store."""

from __future__ import annotations

import mmap
import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from glob import escape
from pathlib import Path

import orjson
from paho.mqtt.subscribeoptions import SubscribeOptions

from config.settings import Settings
from gateway.audit import access_log
from gateway.broker.certificates import broker_for
from gateway.broker.link import Incoming, Limits, Link
from gateway.historian.store import WriteError, writer_of
from gateway.history.books.erased_subjects import WORD
from gateway.installation.backup import backups_of
from gateway.installation.backup_contents import SET_BEFORE
from gateway.machine.file_lock import HeldError
from gateway.recordings.recording import MAGIC, RecordingError, RecordingReader
from gateway.status import kept_notices
from gateway.ward.kept_ward import KeptWard, ward_path
from gateway.ward.refusals import RefusedError
from gateway.ward.registry import RegistryError
from gateway.wire.topics import ROOT

CONNECT_S = 5.0
RETAINED_S = 1.0
"""What is retained comes with the subscription."""
IN_USE_S = 60.0
"""A recording that was written to within this may still be: it is listed, and not deleted."""
SET_ASIDE = re.compile(r"\.(corrupt|version|replaced|other-gateway)-\d+(-wal|-shm)?$")
PARKED = re.compile(r"\.parked/[0-9a-f]+\.message$")
"""A message that could not be stored (``gateway.historian.parked``)."""
ROUNDS = 3
"""Times that a remote store is asked: a write that was under way may come after the first."""
PAUSE_S = 1.0
RETRY = "erase again when it is there"


@dataclass(slots=True)
class Places:
    """What names a subject outside the history: files that may be deleted, and what has to be seen to otherwise."""

    files: list[Path] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def find_files(settings: Settings, history: Path, subject: str) -> Places:
    """Look through the data folders for recordings, set-aside files and others that name a subject."""
    found = Places()
    folders = {settings.site.data, history.parent, settings.recorder.folder or settings.site.data / "recordings"}
    ours, kept = [folder.resolve() for folder in folders], history.resolve()
    for path in sorted({path.resolve() for folder in folders for path in _files(folder)}):
        set_aside = SET_ASIDE.search(path.name) or path.parent.name.startswith(SET_BEFORE)
        if path.parent == kept.parent and path.name.startswith(kept.name) and not set_aside:
            continue  # the history itself has erased it
        deletable = (set_aside or PARKED.search(str(path))) and any(path.is_relative_to(folder) for folder in ours)
        try:
            named = _names(path, subject)
        except (OSError, ValueError, RecordingError) as error:
            found.others.append(f"{path}: cannot be read ({error})")
            continue
        if not named:
            continue
        if deletable or (_is_recording(path) and time.time() - path.stat().st_mtime > IN_USE_S):
            found.files.append(path)
        else:
            found.others.append(_advice(path))
    return found


def erase_looks(settings: Settings, subject: str) -> list[str]:
    """Take a subject out of the log of who looked at what, on this machine; return what could not be reached."""
    path = settings.site.data / access_log.NAME
    try:
        access_log.erase_subject(path, subject)
    except (OSError, sqlite3.Error) as error:
        return [f"{path}: {error}; {RETRY}"]
    return []


def erase_ward(settings: Settings, subject: str) -> list[str]:
    """Take a subject out of the registry of the ward, on this machine; return what could not be reached."""
    path = ward_path(settings)
    if not path.exists():
        return []
    try:
        with closing(KeptWard(settings, at_us=time.time_ns() // 1000)) as ward:
            ward.erase(subject)
            kept_notices.erase(settings.site.data, subject)  # whoever holds the registry holds that file too
    except HeldError:
        return [f"{path}: the gateway has it; stop the gateway, and erase again"] if _names(path, subject) else []
    except (RefusedError, RegistryError, sqlite3.Error, OSError) as error:
        return [f"{path}: {error}"]
    return []


def find_topics(settings: Settings, subject: str) -> list[str]:
    """Return the retained topics that name a subject, or that the broker does not answer."""
    listener = _Retained(settings)
    listener.start()
    try:
        return listener.wait(subject)
    finally:
        listener.stop()


def erase_remotely(settings: Settings, subject: str) -> list[str]:
    """Have the remote store delete what it has of a subject; return what could not be reached."""
    store = settings.historian.store
    if store is None:
        return []
    if store.kind == "influxdb3":
        return [f"the store at {store.url}: InfluxDB 3 Core deletes no rows; delete its database, or its files"]
    writer = writer_of(store)
    try:
        for _ in range(ROUNDS):
            writer.erase(settings.site.site, subject)
            time.sleep(PAUSE_S)
            if not writer.has(settings.site.site, subject):
                return []
    except WriteError as error:
        return [f"the store at {store.url}: {error}; {RETRY}"]
    finally:
        writer.close()
    return [f"the store at {store.url}: it was asked and still has it; erase again later"]


def _files(folder: Path) -> Iterator[Path]:
    """Yield what lies below a folder; of a file that is elsewhere by a link, that and its logs beside it."""
    for path in folder.rglob("*"):
        if path.is_symlink():
            to = path.resolve()
            yield from (beside for beside in to.parent.glob(f"{escape(to.name)}*") if beside.is_file())
        elif path.is_file():
            yield path


def old_backups(settings: Settings) -> str:
    """Return what to know of the backups made until now, out of which nobody can take anything; empty without any."""
    folder = settings.backup.folder
    if folder is None:
        return ""
    try:
        found = f"{len(backups_of(folder, settings.site.gateway)) if folder.is_dir() else 0} in {folder}"
    except PermissionError:  # root's, as 'setup' makes it
        found = f"those in {folder}, into which only root may look"
    return f"backups made until now still hold it ({found}): whoever restores one has to erase it again"


def _names(path: Path, subject: str) -> bool:
    if _is_recording(path):
        reader = RecordingReader(path)
        try:
            texts = (orjson.dumps(reader.header), *reader.wards())
        finally:
            reader.close()
        return any(subject.encode() in WORD.findall(words) for words in texts)
    if path.stat().st_size == 0:
        return False
    # In a database the texts of a row stand without anything between them.
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as raw:
        return raw.find(subject.encode()) >= 0


def _is_recording(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def _advice(path: Path) -> str:
    if "outbox" in path.name:
        return f"{path}: what waits in it is refused when it comes; erase again when it is empty"
    if _is_recording(path):
        return f"{path}: a recording that may still be written; erase again a minute after the gateway has stopped"
    return f"{path}: names the subject; see to it by hand"


class _Retained:
    """Subscribed to everything of a site for a moment; a handler of ``gateway.broker.link.Link``."""

    def __init__(self, settings: Settings) -> None:
        self._retained: dict[str, bytes] = {}
        self._there = threading.Event()
        self._link = Link(
            broker_for(settings, "command"),  # not the historian's: the broker may let each certificate in once
            client_id=f"erasure-{time.time_ns():x}",
            handler=self,
            subscriptions=[(f"{ROOT}/{settings.site.site}/#", SubscribeOptions(qos=1))],
        )

    def start(self) -> None:
        self._link.start()

    def stop(self) -> None:
        self._link.stop()

    def wait(self, subject: str) -> list[str]:
        if not self._there.wait(CONNECT_S):
            return [f"retained topics: the broker does not answer ({self._link.last_error or 'no answer'}); {RETRY}"]
        time.sleep(RETAINED_S)
        word = subject.encode()
        naming = sorted(topic for topic, raw in self._retained.items() if word in WORD.findall(raw))
        return [f"the retained topic {topic} names the subject: does a bed still have it?" for topic in naming]

    def connected(self, connection: int, limits: Limits) -> None:
        del connection, limits
        self._there.set()

    def lost(self, connection: int, reason: str) -> None: ...

    def acknowledged(self, connection: int, number: int, code: int) -> None: ...

    def arrived(self, message: Incoming) -> None:
        if message.retained:
            self._retained[message.topic] = message.payload
