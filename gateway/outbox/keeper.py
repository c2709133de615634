"""Keeps a file that can be gone on with at its place: opens it, mends it, writes it anew, leaves it behind."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from gateway.machine.damage import suspicious
from gateway.machine.file_lock import FileLock
from gateway.machine.file_place import Place
from gateway.machine.set_aside import set_aside
from gateway.outbox.errors import DamagedError, FileError
from gateway.outbox.file import OutboxFile
from gateway.outbox.incidents import SPOILT, Incidents
from gateway.outbox.lives import earlier_key
from gateway.outbox.move import RESTORED, finish_move, move_on, rewrite
from gateway.outbox.requests import Requests
from gateway.outbox.state import OutboxState, by_reason
from gateway.outbox.unopened import UnopenedFile

log = logging.getLogger(__name__)

Item = TypeVar("Item")

DOUBTS_MOST = 3
"""A file that looks whole, and fails each commit all the same, is set aside after so many: all that can be read of it
is brought over."""
GATEWAY = "gateway"
"""The fact that says whose outbox a file is."""


class OtherGatewayError(Exception):
    """The outbox in the data folder is another gateway's, and holds what that one has not sent."""

    advice = "Start that gateway once more, so that it is sent, or give this one a data folder (site.data) of its own."


class FileKeeper:
    """The file of an outbox, whichever it is at present. Its methods are for the outbox's thread, but for `read`.

    Args:
        path: The file.
        gateway: Whose outbox it is; nobody's in particular if empty.
        lock: The right to write it, where the caller has it already.
        guard: Held, besides the lock against readers, while the file is changed for another.
        requests: What is asked for; guarded by ``guard``.
        incidents: Where it is said what happened to files and numbers.
        on_overwritten: Called with the epoch of a life of which a part may be lost, with what of it was released, and
            with its last number that was on disk.

    Attributes:
        file: The present one.
        state: What it holds, as of the last commit, and why commits fail; replaced with ``guard`` held.
        opened_last: The last number that it had given when it was opened.
        aside: Names of the damaged files that were renamed since the start.
        read_failures: How often reading failed.
        damaged: Set when an error has put the file in doubt.
    """

    def __init__(
        self, path: Path, *, gateway: str, lock: FileLock | None, guard: threading.Condition, requests: Requests,
        incidents: Incidents, on_overwritten: Callable[[str, int, int], None],
    ) -> None:  # fmt: skip
        self.path = path
        self.file: OutboxFile | UnopenedFile = UnopenedFile("")
        self.state = OutboxState()
        self.opened_last = 0
        self.aside: list[str] = []
        self.read_failures = 0
        self.damaged = threading.Event()
        self._gateway = gateway
        self._lock, self._owns_lock = lock, lock is None
        self._guard = guard
        self._requests = requests
        self._incidents = incidents
        self._on_overwritten = on_overwritten
        self._reading = threading.Lock()  # readers against replacing the file
        self._place: Place | None = None
        self._doubts = 0  # failures in a row of a file that looks whole

    @property
    def lock(self) -> FileLock | None:
        """Return the right to write; None before it was taken."""
        return self._lock

    def open(self) -> None:
        """Take the lock, before anything is opened or changed, and open the file."""
        if self._lock is None:
            self._lock = FileLock(self.path, gateway=self._gateway)
        finish_move(self.path)
        file = self._open()
        owner = file.facts.get(GATEWAY, "")
        if self._gateway and owner not in ("", self._gateway):
            waiting = file.depth
            file.close(clean=True)
            if waiting:
                raise OtherGatewayError(f"{self.path} holds {waiting} rows that gateway {owner} has not sent yet")
            set_aside(self.path, "other-gateway")
            file = OutboxFile(self.path)
        with self._reading, self._guard:
            if self._gateway:
                self._requests.facts[GATEWAY] = self._gateway
            self._use(file)

    def leave_unopened(self, why: str) -> None:
        """Go on without a file, for as long as it cannot be opened."""
        with self._guard:
            self.file = UnopenedFile(why)
            self.update_state()

    def update_state(self) -> None:
        """Say what the file holds; the caller holds ``guard``."""
        file = self.file
        self.state = OutboxState(
            depth=file.depth, bytes=file.bytes, dropped=by_reason(file.dropped), epoch=file.epoch,
            durable_seq=file.last_seq, released_seq=file.first_kept - 1, set_aside=len(self.aside),
        )  # fmt: skip

    def _open(self) -> OutboxFile:
        try:
            return OutboxFile(self.path)
        except DamagedError as error:
            return self._open_anew(error)

    def _open_anew(self, error: DamagedError) -> OutboxFile:
        """Set a file aside that cannot be gone on with, and make a new one."""
        kept = set_aside(self.path, error.kind)
        self.aside.append(kept.name)
        log.error("the outbox cannot be gone on with (%s): kept as %s, starting a new one", error, kept.name)
        return OutboxFile(self.path)

    def _use(self, file: OutboxFile) -> None:
        """Go on with a file; the caller holds both locks."""
        self.file = file
        self._place = Place(self.path, file.header)
        self.opened_last = file.last_seq
        self.update_state()
        if file.torn:
            text = f"The log of {self.path.name} was torn: up to {file.torn} numbers of it are gone"
            self._incidents.add(SPOILT, text, file=self.path.name, numbers=file.torn)

    def read(self, read: Callable[[], list[Item]]) -> tuple[list[Item], bool]:
        """Return what is read, nothing where that fails, and whether the file needs to be looked at. On any thread."""
        with self._reading:
            found: list[Item] = []
            try:
                found = read()
            except FileError as error:
                self.read_failures += 1
                log.warning("reading the outbox failed: %s", error)
                if suspicious(error):
                    self.damaged.set()
            return found, self.damaged.is_set() or self.file.spoilt

    def works(self) -> None:
        """Note that a commit went well."""
        self._doubts = 0

    def fails(self, error: str) -> None:
        """Note why commits fail at present; the caller holds ``guard``."""
        self.state = replace(self.state, error=error)

    def mend(self) -> None:
        """Look at the file that an error has put in doubt: go on with it if it is whole, else with a new one."""
        self._doubts += 1
        with self._reading, self._guard:
            self.file.abandon()
            epoch, facts, last_seq = self.file.epoch, self.file.facts, self.file.last_seq
            try:
                if self._doubts > DOUBTS_MOST:
                    raise DamagedError("it looks whole, and cannot be written")  # noqa: TRY301 - as any other damage
                file = OutboxFile(self.path, recount=True)
            except DamagedError as error:
                file = self._open_anew(error)
                self._requests.release = 0
                self._requests.facts = {**facts, **self._requests.facts, earlier_key(epoch): str(last_seq)}
            opened_last = self.opened_last
            self._use(file)
            if file.epoch == epoch:
                self.opened_last = opened_last
            self.damaged.clear()

    def keep_place(self) -> None:
        """See that lock and file still are where they were; write the file anew where it is not."""
        if self._lock is not None:
            self._lock.renew()
        if self._place is None or not isinstance(self.file, OutboxFile) or not (change := self._place.change()):
            return
        if change == "written over":
            self._leave_overwritten()
            return
        log.error("the outbox %s was %s while it was in use: writing it anew", self.path, change)
        with self._reading, self._guard:
            opened_last = self.opened_last
            kept = rewrite(self.file, self.path, change, self._place)
            self._use(OutboxFile(self.path))
            self.opened_last = opened_last
        if kept is not None:
            self.aside.append(kept.name)
        what = f"{self.path.name} was {change} while the gateway was using it; nothing in it was lost"
        self._incidents.add("outbox-removed", what, file=self.path.name, change=change)

    def _leave_overwritten(self) -> None:
        """Go on in a new life: what was in a file that somebody wrote over is in doubt, each row for itself.

        What the rows' sums of check say is whole is sent after all; all the others become gaps of the old life.
        """
        file = self.file
        assert isinstance(file, OutboxFile)
        released, last = file.first_kept - 1, file.last_seq
        with self._reading, self._guard:
            kept = set_aside(self.path, "replaced")
            file.abandon()
            self._requests.release = 0
            self._requests.facts = {**file.facts, **self._requests.facts, earlier_key(file.epoch): str(last)}
            self._use(OutboxFile(self.path))
            self.damaged.clear()
        self.aside.append(kept.name)
        text = (
            f"{self.path.name} was written over while the gateway was using it, and is kept as {kept.name}: of numbers"
            f" {released + 1} to {last} what can be read is sent, the others are told as gaps"
        )
        log.error("%s", text)
        self._incidents.add("outbox-removed", text, file=self.path.name, change="written over")
        self._on_overwritten(file.epoch, released, last)

    def begin_anew(self, stored: int, given: int) -> None:
        """Leave this life of the outbox, an older image of itself, and go on in a new one."""
        file = self.file
        assert isinstance(file, OutboxFile)
        with self._reading, self._guard:
            file.facts.update(self._requests.facts)
            fields = move_on(file, self.path, given=given, stored=stored)
            self._requests.release = 0
            self._use(OutboxFile(self.path))
            self.opened_last = 0  # what was moved was given by this run, too
            self._requests.contradicted = None
        text = (
            f"The outbox was an older image of itself: the history has numbers up to {stored} of it, and it had given"
            f" none beyond {given}. {fields['moved']} rows got new numbers; {given + 1} to {stored} are in doubt,"
            " and so is who is in which bed: see that it is right"
        )
        log.error("%s", text)
        self._incidents.add_audited(RESTORED, text, fields)

    def close(self, *, clean: bool) -> None:
        """Close the file; raises sqlite3.Error where that is not done cleanly."""
        with self._reading:
            self.file.close(clean=clean)

    def release_lock(self) -> None:
        """Let others write the file."""
        if self._owns_lock and self._lock is not None:
            self._lock.release()
