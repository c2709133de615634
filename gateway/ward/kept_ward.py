"""The ward of a gateway: its registry in the data folder, held by one process, begun from the configuration.

A new registry takes the slots of the configuration as its first ward. One that nobody has changed since follows the
file when that is edited; one that people have changed keeps what they made, and says that the file differs.
"""

from __future__ import annotations

import errno
import logging
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from config.settings import Settings
from gateway.machine.file_lock import FileLock
from gateway.machine.private_files import FOLDER_MODE, IN_MEMORY
from gateway.ward.changes import AddDevice, GatewayStarts, ImportSlots, read_change
from gateway.ward.digest import slots_digest
from gateway.ward.refusals import refused
from gateway.ward.registry import Entry, Registry, RegistryError, Untold, read_state
from gateway.ward.rules import refuse_unreadable
from gateway.ward.state import WardState

log = logging.getLogger(__name__)

FILE = "ward.db"
FROM_CONFIGURATION = "configuration"
"""Where a change comes from that the file makes; people's come from ``"mqtt"`` or ``"command line"``."""
FULL_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO})
"""Troubles of a disk that do not keep a gateway from measuring."""


def ward_path(settings: Settings) -> Path:
    """Return where the registry of a configuration's gateway is."""
    return settings.site.data / FILE


class KeptWard:
    """The registry, open, and nobody else's until ``close``.

    Where the disk takes nothing the ward is as it was read, or as the configuration has it if there is none yet, and
    nothing can be changed.

    Args:
        settings: The configuration, with its slots.
        at_us: Now, UTC microseconds.

    Attributes:
        durable: Whether changes reach the disk.
        differs: Whether the slots of the file are others than those that the ward was made from, and people have
            changed it since.

    Raises:
        HeldError: Another process has it.
        RegistryError: The file cannot be read, or not be used.
    """

    def __init__(self, settings: Settings, *, at_us: int) -> None:
        self.path = ward_path(settings)
        self.durable = True
        self._lock: FileLock | None = None
        self._registry: Registry | None = None
        try:
            self._open(settings, at_us)
        except (OSError, sqlite3.Error) as error:
            if not is_full(error):
                self.close()
                raise RegistryError(f"{self.path} cannot be used: {_words(error)}") from error
            self._go_on_in_memory(error)
            self._follow(settings, at_us)
        except BaseException:
            self.close()
            raise

    @property
    def state(self) -> WardState:
        """The ward after the last change."""
        return self._open_registry.state

    def starts(self, at_us: int, suffix: str = "") -> WardState:
        """Begin another run of the gateway."""
        change = GatewayStarts(suffix=suffix)
        try:
            return self._open_registry.apply(change, at_us=at_us, by="", source=FROM_CONFIGURATION)
        except sqlite3.Error as error:
            self._go_on_in_memory(error)
            return self._open_registry.apply(change, at_us=at_us, by="", source=FROM_CONFIGURATION)

    def change(self, name: str, fields: dict[str, object], *, at_us: int, by: str, source: str) -> WardState:
        """Make a change that somebody asks for, durably; return the ward after it. Raises RefusedError."""
        change = read_change(name, fields)
        if isinstance(change, AddDevice):
            refuse_unreadable(change.device)
        if not self.durable:
            raise refused("no_room")
        try:
            return self._open_registry.apply(change, at_us=at_us, by=by, source=source)
        except sqlite3.Error as error:
            raise refused("cannot_be_written", path=self.path, error=error) from error

    def import_configuration(self, settings: Settings, *, at_us: int, by: str, source: str) -> WardState:
        """Make the ward what the slots of a configuration describe, whatever it was."""
        change = ImportSlots(slots=settings.slot)
        return self._open_registry.apply(change, at_us=at_us, by=by, source=source)

    def erase(self, subject: str) -> None:
        """Forget somebody who has left; raises RefusedError."""
        self._open_registry.erase(subject)

    def untold(self) -> Sequence[Entry]:
        """Return the changes by people of which the audit does not know yet: its sessions tell what the file made."""
        registry = self._open_registry
        return [entry for entry in registry.entries(registry.audited) if entry.source != FROM_CONFIGURATION]

    def mark_audited(self, number: int) -> None:
        """Note that the audit knows of all changes up to a number."""
        with suppress(sqlite3.Error):  # told once more, at the next start
            self._open_registry.mark_audited(number)

    def words(self, after: int = 0) -> Sequence[Untold]:
        """Return what the history has to know and the outbox may not have yet, beyond an id."""
        with suppress(sqlite3.Error):  # told with the next change, or at the next start
            return self._open_registry.untold(after)
        return []

    def forget_words(self, upto: int) -> None:
        """Note that the outbox has the words up to an id on disk."""
        with suppress(sqlite3.Error):  # told once more, which changes nothing
            self._open_registry.forget_words(upto)

    def close(self) -> None:
        """Let others have it."""
        if self._registry is not None:
            self._registry.close()
        if self._lock is not None:
            self._lock.release()

    @property
    def _open_registry(self) -> Registry:
        assert self._registry is not None
        return self._registry

    def _go_on_in_memory(self, error: Exception) -> None:
        """Go on with the ward as it was read, which nobody can change; with none where there is none yet.

        Raises:
            RegistryError: There is one that cannot be read: that of the configuration may be another.
        """
        log.warning("%s cannot be written (%s): the ward cannot be changed until there is room", self.path, error)
        if self._registry is not None:
            state = self._registry.state
            self._registry.close()
        else:
            begun = self.path.exists() and self.path.stat().st_size > 0
            state = read_state(self.path) if begun else WardState()
        self.durable = False
        self._registry = Registry(Path(IN_MEMORY), state)

    def _open(self, settings: Settings, at_us: int) -> None:
        self.path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        self._lock = FileLock(self.path, gateway=settings.site.gateway)
        self._registry = Registry(self.path)
        self._follow(settings, at_us)

    def _follow(self, settings: Settings, at_us: int) -> None:
        """Take the file over where nobody has changed the ward by hand. A file without slots says nothing of it."""
        state = self.state
        differs = bool(settings.slot) and state.slots_digest != slots_digest(settings.slot)
        self.differs = differs and state.by_hand
        if differs and not self.differs:
            self.import_configuration(settings, at_us=at_us, by="", source=FROM_CONFIGURATION)


def is_full(error: Exception) -> bool:
    """Whether the disk has no room, or does not work: a gateway measures all the same."""
    if isinstance(error, OSError):
        return error.errno in FULL_DISK
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)


def _words(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()
