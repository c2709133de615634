"""The outbox's own thread: it commits what waits, in groups, into whatever file can be gone on with."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable

from gateway.machine.damage import suspicious
from gateway.machine.file_lock import HeldError
from gateway.machine.set_aside import CORRUPT
from gateway.outbox.age_limit import AgeLimit
from gateway.outbox.errors import FileError
from gateway.outbox.eviction import TOO_OLD
from gateway.outbox.incidents import SPOILT, Incidents
from gateway.outbox.keeper import FileKeeper
from gateway.outbox.limits import Limits
from gateway.outbox.pending import GROUP_MAX, Pending
from gateway.outbox.requests import Requests
from gateway.outbox.unopened import UnopenedFile

log = logging.getLogger(__name__)

URGENT_SPACING_S = 0.02
"""Least time between two commits: a burst of events shares one flush of the disk."""
LOG_AGAIN_S = 60.0
"""Least time between two lines of the log that say that rows were dropped."""
RETRY_S = 1.0
"""Wait after a failed commit, such as a full disk: the measurements stay in memory meanwhile."""
LOOK_S = 1.0
"""Longest time between two looks whether the file still is where it was."""


class OutboxWriter:
    """Writes an outbox, and sees each second that its file still is where it was.

    Args:
        pending: What waits to be written.
        requests: What else the next commit is asked to do; guarded by the condition of what is pending.
        keeper: The file, whichever it is at present.
        on_life: Called with the epoch of each life that begins: what earlier ones have left is looked at then.
        incidents: Where it is said what happened to rows.
        limits: How long rows may wait, and how much may lie on disk.
        ages: Which rows are too old; None keeps them all.

    Attributes:
        listeners: Called on this thread after each commit that changed something; each must be quick and not raise.
    """

    def __init__(
        self, pending: Pending, requests: Requests, keeper: FileKeeper, *, on_life: Callable[[str], None],
        incidents: Incidents, limits: Limits, ages: AgeLimit | None,
    ) -> None:  # fmt: skip
        self.listeners: list[Callable[[], None]] = []
        self._pending = pending
        self._wake = pending.condition
        self._requests = requests
        self._keeper = keeper
        self._on_life = on_life
        self._incidents = incidents
        self._limits = limits
        self._ages = ages
        self._closing = False  # guarded by the condition
        self._only_look = False
        self._log_again_at = 0.0
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)

    def start(self) -> None:
        """Open the file, on the caller's thread, and begin; a file that cannot be opened yet is tried again.

        Raises:
            HeldError: Another process writes the file.
            OtherGatewayError: It is another gateway's.
        """
        try:
            self._keeper.open()
            self._on_life(self._keeper.file.epoch)
        except (sqlite3.OperationalError, OSError) as error:
            log.error("the outbox cannot be opened, measurements wait in memory: %s", error)  # noqa: TRY400
            self._keeper.leave_unopened(str(error))
        except BaseException:
            self._keeper.release_lock()
            raise
        with self._wake:
            if self._requests.facts:
                self._pending.schedule(self._limits.commit_s)
        self._thread.start()

    def stop(self) -> None:
        """Write what is pending, close the file, end the thread."""
        with self._wake:
            self._closing = True
            self._pending.schedule(0.0)
        self._thread.join()

    def call_listeners(self) -> None:
        """Tell who listens that there may be something new."""
        for listener in self.listeners:
            listener()

    def _run(self) -> None:
        while True:
            closing = self._await_due()
            error = self._attempt()
            if error and error != self._keeper.state.error:
                log.error("writing the outbox failed, trying again: %s", error)
            with self._wake:
                self._plan_next(error)
                if closing and (error or not self._pending.held):
                    break
            if not self._only_look:
                self.call_listeners()
        if self._pending.held:
            log.error("the outbox closes with %d measurements that could not be written", self._pending.held)
        try:
            self._keeper.close(clean=not error)
        except sqlite3.Error as failure:
            log.error("the outbox was not closed cleanly: %s", failure)  # noqa: TRY400 - the sentence says it all

    def _await_due(self) -> bool:
        """Wait for the next commit and take what it will hold; return whether the outbox is closing."""
        with self._wake:
            self._only_look = not self._pending.wait_until_due(LOOK_S)
            if not self._only_look:
                self._pending.begin_batch()
            return self._closing

    def _attempt(self) -> str:
        """Commit what was taken; return why that failed, or nothing."""
        try:
            self._ready_file()
            if not self._only_look:
                self._commit()
                self._keeper.works()
        except sqlite3.IntegrityError as failure:
            # The file holds numbers that we have not given: it is not damaged, somebody else has written to it.
            self._keeper.damaged.set()
            name = self._keeper.path.name
            self._incidents.add(
                "outbox-collision", f"Another process wrote to {name}: what waited here gets new numbers", file=name
            )
            return str(failure)
        except FileError as failure:
            if suspicious(failure):
                self._keeper.damaged.set()
            return str(failure)
        except (HeldError, OSError) as failure:
            return str(failure)
        except Exception as failure:  # noqa: BLE001 - this thread must outlive a defect: it is the supervisor
            return f"{type(failure).__name__}: {failure}"
        return ""

    def _ready_file(self) -> None:
        """See that there is a file at its place to go on with; look at what it left, where it is another life's."""
        epoch = self._keeper.file.epoch
        try:
            self._keeper.keep_place()
            if self._keeper.damaged.is_set():
                self._keeper.mend()
            if isinstance(self._keeper.file, UnopenedFile):
                self._keeper.open()
            if self._requests.contradicted is not None:
                self._keeper.begin_anew(*self._requests.contradicted)
        finally:
            if self._keeper.file.epoch != epoch:
                self._on_life(self._keeper.file.epoch)

    def _commit(self) -> None:
        file, before = self._keeper.file, self._keeper.state.dropped
        too_old = self._ages.made_before() if self._ages else None
        with self._wake:
            facts, given_up = dict(self._requests.facts), dict(self._requests.given_up)
        dropped = file.commit(
            self._pending.group(file.last_seq, file.chain), released=self._requests.release,
            max_bytes=self._limits.max_bytes, made_before=too_old, given_up=given_up, facts=facts,
        )  # fmt: skip
        with self._wake:
            self._requests.done(given_up, facts)
            self._pending.end_batch()
            self._keeper.update_state()
        after = self._keeper.state.dropped
        if self._ages and after.get(TOO_OLD, 0) != before.get(TOO_OLD, 0):
            self._ages.again()
        if spoilt := after.get(CORRUPT, 0) - before.get(CORRUPT, 0):
            name = self._keeper.path.name
            text = f"{spoilt} rows of {name} were not what was written, and are gone"
            self._incidents.add(SPOILT, text, file=name, numbers=spoilt)
        if dropped and time.monotonic() >= self._log_again_at:  # a full outbox drops with every commit
            self._log_again_at = time.monotonic() + LOG_AGAIN_S
            log.warning("the outbox had to drop rows; in the life of this file: %s", after)

    def _plan_next(self, error: str) -> None:
        """After a commit, or a failed one: say how things stand and when to go on. The caller holds the condition."""
        if error:
            self._keeper.fails(error)
            self._pending.retry_after(RETRY_S)
            self._wake.notify_all()
            return
        self._pending.pause(URGENT_SPACING_S)
        if self._pending.queued or self._requests.release > self._keeper.state.released_seq:
            self._pending.schedule(0.0 if self._closing or self._pending.queued >= GROUP_MAX else self._limits.commit_s)
        self._wake.notify_all()
