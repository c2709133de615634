"""The ward of a gateway: its registry in the data folder, held by one process, begun from the configuration.

A new registry takes the slots of the configuration as its first ward. One that nobody has changed since follows the
file when that is edited; one that people have changed keeps what they made, and says that the file differs.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path

from config.checks import Drivers, check_device, check_worn
from config.settings import Settings
from gateway.history.books.erased_subjects import was_erased
from gateway.history.reader import HistoryReader
from gateway.machine.damage import suspicious
from gateway.machine.file_lock import FileLock, HeldError
from gateway.machine.full_disk import takes_nothing
from gateway.machine.private_files import FOLDER_MODE, IN_MEMORY
from gateway.machine.set_aside import set_aside
from gateway.outbox.facts import read_fact
from gateway.ward.changes import AddDevice, Assign, Change, GatewayStarts, ImportSlots, read_change
from gateway.ward.corrections import CorrectSession
from gateway.ward.digest import slots_digest
from gateway.ward.entries import CorrectTest, ReportSession
from gateway.ward.forms import OURS, read_forms
from gateway.ward.refusals import refused
from gateway.ward.registry import IMPORT, DamagedRegistryError, Entry, Registry, RegistryError, Untold, read_state
from gateway.ward.remembered import FACT, RECALLED, VACATED, Recall, Vacate, read_remembered
from gateway.ward.rules import refuse_unfit, refuse_unreadable
from gateway.ward.state import WardState
from gateway.ward.traces import FROM_TRACE, AskBroker, trace_of_ward

log = logging.getLogger(__name__)

FILE = "ward.db"
OUTBOX = "outbox.db"
SAID = frozenset({"admit", IMPORT, RECALLED, VACATED})
"""Changes that say who is in a bed, or that nobody knows: another bed, or device, says nothing of that."""
CONFIRMS = frozenset({"move", "assign", "session-start"})
"""Changes that a person makes beside somebody: whom they name is there."""
FROM_OUTBOX = "outbox"
MOST_STARTS = 100
"""Starts over which a ward that was lost is said to be, where nobody says who is there."""
FROM_CONFIGURATION = "configuration"
"""Where a change comes from that the file makes; people's come from ``"mqtt"`` or ``"command line"``."""


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
        drivers: What is known of each driver; None leaves unchecked what a device may be and where it may be worn.
        ask_broker: Asks the broker, where a ward begins, whether this gateway had one before; None where it cannot.

    Attributes:
        durable: Whether changes reach the disk.
        begun: Whether this is the first ward of all, taken from the file, as far as anybody knows: also where a
            command made it, and no gateway has run with it yet.
        ahead_us: By how much the newest change lay after the begin of this run: a clock was set back between the two.
        differs: Whether the slots of the file are others than those that the ward was made from, and people have
            changed it since.

    Raises:
        HeldError: Another process has it.
        RegistryError: The file cannot be read, or not be used.
    """

    def __init__(
        self, settings: Settings, *, at_us: int, drivers: Drivers | None = None, ask_broker: AskBroker | None = None
    ) -> None:
        self._drivers, self._ask_broker = drivers, ask_broker
        self.path = ward_path(settings)
        self._history = settings.history_file
        self._forms_folder = settings.dashboard.forms_folder
        self.durable, self.begun = True, False
        self.ahead_us = 0
        self._lock: FileLock | None = None
        self._registry: Registry | None = None
        try:
            self._open(settings, at_us)
        except (OSError, sqlite3.Error) as error:
            if not takes_nothing(error):
                self.close()
                if suspicious(error):
                    raise DamagedRegistryError(self.path, error) from error
                raise RegistryError(f"{self.path} cannot be used: {_words(error)}") from error
            self._go_on_in_memory(error)
            self._take_up(settings, at_us)
        except BaseException:
            self.close()
            raise

    @property
    def state(self) -> WardState:
        """The ward after the last change."""
        return self._open_registry.state

    def starts(self, at_us: int, suffix: str = "") -> WardState:
        """Begin another run of the gateway."""
        for newest in self._open_registry.entries(self.state.number - 1):
            self.ahead_us = max(0, newest.at_us - at_us)
        change = GatewayStarts(suffix=suffix)
        try:
            return self._open_registry.apply(change, at_us=at_us, by="", source=FROM_CONFIGURATION)
        except sqlite3.Error as error:
            self._go_on_in_memory(error)
            return self._open_registry.apply(change, at_us=at_us, by="", source=FROM_CONFIGURATION)

    def change(self, name: str, fields: dict[str, object], *, at_us: int, by: str, source: str) -> WardState:
        """Make a change that somebody asks for, durably; return the ward after it. Raises RefusedError."""
        change = read_change(name, fields)
        _refuse_unfit(change, self.state, at_us, self._drivers)
        if isinstance(change, CorrectSession) and change.subject and was_erased(self._history, change.subject):
            raise refused("corrected_to_erased", subject=change.subject)  # its numbers would go for good
        if isinstance(change, ReportSession):
            _refuse_answers(change, self._forms_folder)
        if isinstance(change, CorrectTest):
            _refuse_unfound(change, self.state, self._history)
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

    @property
    def was_recalled(self) -> bool:
        """Whether the file was removed, or an older one put back, and the audit does not know of it yet."""
        return any(entry.name == RECALLED for entry in self.untold())

    @property
    def vacated(self) -> str:
        """What showed that there was a ward before, while no person has said who is in which bed; else empty."""
        lately = self._open_registry.entries(max(0, self.state.number - MOST_STARTS))
        newest = next((entry for entry in reversed(lately) if entry.name in SAID), None)
        return str(newest.fields["trace"]) if newest is not None and newest.name == VACATED else ""

    def vacate(self, trace: str, *, at_us: int) -> WardState:
        """Have nobody in a bed whom the file alone has put there, and no person beside it; return the ward after it."""
        entries = self._open_registry.entries()
        of_file = {entry.at_us for entry in entries if entry.source == FROM_CONFIGURATION}
        confirmed = {entry.fields.get("subject") for entry in entries if entry.name in CONFIRMS}
        gone = tuple(one.id for one in self.state.subjects if one.since_us in of_file and one.id not in confirmed)
        return self._open_registry.apply(Vacate(trace=trace, subjects=gone), at_us=at_us, by="", source=FROM_TRACE)

    def look_after(self) -> str:
        """Write the file anew where it is not what this process made of it; return what was found, if anything was.

        Called each second: whoever comes after is to find the ward, and the lock, and not the patient before.
        """
        if not self.durable or self._lock is None:
            return ""
        try:
            self.path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            self._lock.renew()
            if self._open_registry.is_whole():
                return ""
            found = "replaced or written over" if self.path.exists() else "removed"
            self._open_registry.write_anew()
        except HeldError:
            return ""  # a command that found no lock: it is done in a moment
        except (OSError, sqlite3.Error) as error:
            log.warning("%s cannot be written anew yet: %s", self.path, error)
            return ""
        return f"The file of the ward, {self.path.name}, was {found} while it was in use: it was written anew"

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
        try:
            self._registry = Registry(self.path)
        except (RegistryError, sqlite3.DatabaseError) as error:
            damaged = isinstance(error, RegistryError) or suspicious(error)
            if not damaged or _known(settings) is None:
                raise
            log.warning("%s is damaged (%s): set aside as %s", self.path, error, set_aside(self.path))
            self._registry = Registry(self.path)
        self._take_up(settings, at_us)

    def _take_up(self, settings: Settings, at_us: int) -> None:
        """Go on from what the outbox remembers where that is newer: the file was removed, or an older one put back."""
        known = _known(settings)
        if known is not None and known.number > self.state.number:
            log.error("%s was removed or is an older one: the ward is as it was last known", self.path)
            self._open_registry.apply(Recall(ward=known), at_us=at_us, by="", source=FROM_OUTBOX)
        self._follow(settings, at_us)

    def _follow(self, settings: Settings, at_us: int) -> None:
        """Take the file over where nobody has changed the ward by hand. A file without slots says nothing of it."""
        self.begun = bool(settings.slot) and not self.state.number
        if self.begun and (trace := trace_of_ward(settings, self._ask_broker)):
            self.begun = False
            log.error("this gateway had a ward before (%s): nobody is in a bed until somebody says so", trace)
            change = Vacate(trace=trace, slots=settings.slot)
            self._open_registry.apply(change, at_us=at_us, by="", source=FROM_TRACE)
        differs = bool(settings.slot) and self.state.slots_digest != slots_digest(settings.slot)
        self.differs = differs and self.state.by_hand
        if differs and not self.differs:
            self.import_configuration(settings, at_us=at_us, by="", source=FROM_CONFIGURATION)
        self.begun = self.begun or _is_unrun(self._open_registry)


def _is_unrun(registry: Registry) -> bool:
    """Whether a ward was made from the file, and no gateway has told the audit of it."""
    return not registry.audited and [one.source for one in registry.entries(0, 1)] == [FROM_CONFIGURATION]


def _known(settings: Settings) -> WardState | None:
    """Return the ward as the outbox remembers it."""
    return read_remembered(read_fact(settings.site.data / OUTBOX, FACT))


def _refuse_unfit(change: Change, ward: WardState, at_us: int, drivers: Drivers | None) -> None:
    """Raise RefusedError for a device, or a way of wearing one, that a configuration would be refused for."""
    if isinstance(change, AddDevice):
        refuse_unreadable(change.device)
        if drivers is not None:
            others = [one.device for one in ward.devices if one.device.id != change.device.id]
            refuse_unfit(check_device(change.device, others, drivers))
    elif isinstance(change, Assign) and drivers is not None:
        worn = change.apply(ward, at_us).devices_in(change.bed)
        put_on = [one for one in worn if one.id == change.device]
        beside = [one for one in worn if one.id != change.device]
        refuse_unfit(sentence for one in put_on for sentence in check_worn(one, beside, drivers))


def _refuse_answers(change: ReportSession, folder: Path | None) -> None:
    """Raise RefusedError for answers that the form has not. One unknown here may be of a dashboard elsewhere."""
    for form in read_forms(OURS, folder)[0] if change.form else ():
        if form.id == change.form:
            form.refuse(change.version, change.answers)


def _refuse_unfound(change: CorrectTest, ward: WardState, history: Path) -> None:
    """Raise RefusedError where the history on this machine has this result of the session, and none at that time.

    One that has none of it knows nothing: it may be written elsewhere, or be late.
    """
    session = ward.session(change.session)
    if session is None:
        return
    try:
        with closing(HistoryReader(history)) as reader:
            found = reader.in_sessions(session.parts, [change.metric])
    except sqlite3.Error:
        return
    if found and not any(change.corrects(one.start_us, one.end_us) for one in found):
        raise refused("nothing_found", metric=change.metric, session=session.id)


def _words(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()
