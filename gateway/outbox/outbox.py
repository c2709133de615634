"""The durable queue between the pipeline and the broker: on disk before it is sent, there until a receipt covers it.

The pipeline appends and never waits; a thread of the outbox's own numbers what came, and commits it in groups. Readers
see committed rows only. A full outbox drops its oldest rows, those of the lowest class first, and says so in a gap
record, which is as durable as a row.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from gateway.machine.damage import suspicious
from gateway.machine.file_lock import FileLock, HeldError
from gateway.machine.set_aside import CORRUPT
from gateway.model.measurement import Measurement
from gateway.model.measurements import Fields, Measurements
from gateway.model.records import Record
from gateway.model.row import Gap, Row
from gateway.outbox.age_limit import AgeLimit
from gateway.outbox.earlier import Earlier, earlier_key
from gateway.outbox.errors import FileError
from gateway.outbox.eviction import NO_END, TOO_OLD
from gateway.outbox.gap_table import OUTBOX_FULL
from gateway.outbox.incidents import SPOILT, Incidents
from gateway.outbox.keeper import FileKeeper, OtherGatewayError
from gateway.outbox.pending import GROUP_MAX, Pending, encode, with_number
from gateway.outbox.requests import Requests
from gateway.outbox.state import OutboxState, age_s, by_reason, classes_of
from gateway.outbox.unopened import UnopenedFile

__all__ = [
    "OUTBOX_FULL", "TOO_OLD", "Gap", "OtherGatewayError", "Outbox", "OutboxState", "Row",
    "encode", "with_number",
]  # fmt: skip

log = logging.getLogger(__name__)

Item = TypeVar("Item")
URGENT_SPACING_S = 0.02
"""Least time between two commits: a burst of events shares one flush of the disk."""
LOG_AGAIN_S = 60.0
"""Least time between two lines of the log that say that rows were dropped."""
RETRY_S = 1.0
"""Wait after a failed commit, such as a full disk: the measurements stay in memory meanwhile."""
LOOK_S = 1.0
"""Longest time between two looks whether the file still is where it was."""


class Outbox:
    """A durable, bounded queue of measurements, numbered 1, 2, 3 … within its epoch.

    Args:
        path: The file; its folder must exist. Created if absent, set aside and replaced if damaged.
        commit_s: Longest wait of a measurement before it is written, seconds.
        max_bytes: Cap of rows and gaps on disk; beyond it the oldest of the lowest class go, counted and told.
        max_age_s: Rows that are older go too; None keeps them.
        on_commit: Called on the outbox's thread after each commit that changed something; must be quick.
        now: Wall clock, seconds, for the age of rows.
        gateway: Whose outbox this is; nobody's in particular if left out.
        lock: The right to write it, where the caller has it already; else it is taken, and released at the end.
        earlier: Whether to look after what earlier lives of the outbox have left beside the file.

    A file that cannot be opened (a full disk, a read-only folder) is tried again each second; meanwhile measurements
    wait in memory, and the state says why. A file that is removed or replaced under us is written anew from the open
    one.

    Attributes:
        aside: Names of the damaged files that were renamed since the start.
        incidents: What happened to files and numbers that somebody should know of.

    Raises:
        HeldError: Another process writes the file.
        OtherGatewayError: It is another gateway's.
    """

    def __init__(
        self, path: Path, *, commit_s: float = 0.2, max_bytes: int = 512 * 2**20, max_age_s: float | None = None,
        on_commit: Callable[[], None] | None = None, now: Callable[[], float] = time.time, gateway: str = "",
        lock: FileLock | None = None, earlier: bool = True,
    ) -> None:  # fmt: skip
        self.path, self.commit_s, self.max_bytes = path, commit_s, max_bytes
        self.incidents = Incidents()
        self._listeners: list[Callable[[], None]] = [on_commit] if on_commit else []
        self._now = now
        self._pending = Pending()
        self._wake = self._pending.condition
        # Guarded by _wake: what the pipeline and the publisher ask for.
        self._requests = Requests()
        self._closing = False
        # The outbox's thread only.
        self._ages = None if max_age_s is None else AgeLimit(max_age_s, now=now)
        self._log_again_at = 0.0
        self._only_look = False
        self._state = OutboxState()
        self._earlier = Earlier(path, self.incidents, self._open_earlier) if earlier else None
        self._keeper = FileKeeper(
            path, gateway=gateway, lock=lock, guard=self._wake, requests=self._requests, incidents=self.incidents,
            on_overwritten=self._earlier.expect if self._earlier else None, on_change=self._update_state,
        )  # fmt: skip
        self.aside = self._keeper.aside
        self._open_first()
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._thread.start()

    def _open_first(self) -> None:
        try:
            self._keeper.open()
            self._look_at_earlier()
        except (sqlite3.OperationalError, OSError) as error:
            log.error("the outbox cannot be opened, measurements wait in memory: %s", error)  # noqa: TRY400
            self._keeper.file = UnopenedFile(str(error))
        except BaseException:
            self._keeper.release_lock()
            raise
        with self._wake:
            self._update_state()
            if self._requests.facts:
                self._pending.schedule(self.commit_s)

    @property
    def read_failures(self) -> int:
        """Return how often reading failed, and gave nothing though there may be something."""
        return self._keeper.read_failures

    def append(self, measurements: Sequence[Measurement], *, urgent: bool = False) -> int:
        """Queue measurements in the order given; never waits for the disk. ``urgent`` commits at once.

        Returns:
            The number of the first, in the present epoch.
        """
        return self._append(Measurements.of(measurements).rows, urgent=urgent)

    def record(self, record: Record) -> int:
        """Queue a notice, an entry of the audit or a word about the ward, committed at once; return its number."""
        return self._append([record], urgent=True)

    def _append(self, contents: Sequence[Fields | Record], *, urgent: bool) -> int:
        made_us = int(self._now() * 1e6)
        with self._wake:
            first = self._state.durable_seq + self._pending.numbers + 1
            if contents:
                self._pending.append(contents, made_us)
                self._pending.schedule(0.0 if urgent else self.commit_s)
        return first

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until everything appended so far is on disk; False if that took too long."""
        deadline = time.monotonic() + timeout_s
        with self._wake:
            self._pending.schedule(0.0)
            while self._pending:
                if not self._wake.wait(deadline - time.monotonic()):
                    return False
            return True

    @property
    def epoch(self) -> str:
        """The life of the present file."""
        return self._state.epoch

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` on the outbox's thread after each commit; it must be quick and not raise."""
        self._listeners.append(listener)

    def read(self, after_seq: int, limit: int) -> list[Row]:
        """Return up to ``limit`` committed rows beyond ``after_seq``, in order."""
        return self._reading(lambda: self._keeper.file.read(after_seq, limit))

    def gaps(self, limit: int = 1000, *, after: int = 0, upto: int = NO_END) -> list[Gap]:
        """Return the first ``limit`` gaps beyond ``after`` and up to ``upto`` that no receipt has covered, in order."""
        return self._reading(lambda: self._keeper.file.gaps(limit, after=after, upto=upto))

    def release(self, epoch: str, seq: int) -> None:
        """Let everything up to ``seq`` go, since it is stored; ignored if it speaks of another epoch."""
        with self._wake:
            state = self._state
            if epoch == state.epoch and seq > max(self._requests.release, state.released_seq):
                self._requests.release = min(seq, state.durable_seq)
                self._pending.schedule(self.commit_s)

    def give_up(self, epoch: str, rows: Iterable[Row], reason: str) -> None:
        """Make gaps of rows that can never be delivered, counted and told; ignored if they are of another epoch."""
        with self._wake:
            if epoch == self._state.epoch:
                self._requests.given_up |= {row.seq: (row.rank, reason) for row in rows}
                self._pending.schedule(0.0)

    @property
    def opened_last(self) -> int:
        """The last number that the present file had given when it was opened."""
        return self._keeper.opened_last

    @property
    def earlier(self) -> list[Outbox]:
        """Return what is left of earlier lives of this outbox, to be sent as theirs."""
        return [] if self._earlier is None else self._earlier.outboxes

    @property
    def settled(self) -> bool:
        """Whether all that earlier lives have left has been looked at."""
        return self._earlier is None or self._earlier.settled

    def finish_earlier(self, box: Outbox) -> None:
        """Remove what was left of an earlier life, if nothing is left of it."""
        if self._earlier is not None:
            self._earlier.finish(box)

    def fact(self, key: str) -> str:
        """Return what was kept under a name; empty if nothing was."""
        with self._wake:
            return self._requests.facts.get(key) or self._keeper.file.facts.get(key, "")

    def fact_keys(self, beginning: str) -> list[str]:
        """Return the names that begin so of what was kept."""
        with self._wake:
            keys = self._keeper.file.facts.keys() | self._requests.facts.keys()
        return sorted(key for key in keys if key.startswith(beginning))

    def keep(self, key: str, value: str) -> None:
        """Keep a text beside the rows, on disk with the next commit."""
        with self._wake:
            self._requests.facts[key] = value
            self._pending.schedule(self.commit_s)

    def contradicted(self, epoch: str, stored: int, *, given: int) -> None:
        """Begin a new life: a receipt speaks of numbers that this file has never given, so it is an older image.

        Numbers beyond ``given``, up to ``stored``, may stand for something else elsewhere: they get new numbers in the
        new life. All else is sent again as what it was.
        """
        with self._wake:
            if epoch == self._state.epoch and self._requests.contradicted is None:
                self._requests.contradicted = stored, given
                self._pending.schedule(0.0)

    def state(self) -> OutboxState:
        """Return what the outbox holds."""
        state = self._state
        return replace(
            state,
            earlier=0 if self._earlier is None else self._earlier.depth,
            depth=state.depth + self._pending.held,
            last_seq=state.durable_seq + self._pending.numbers,
            oldest_s=age_s(self._keeper.file.oldest_us, self._now()),
        )

    def classes(self) -> dict[str, dict[str, Any]]:
        """Return what of each class is on disk, how old the oldest is in seconds, and what had to go, by reason."""
        return classes_of(self._keeper.file, self._now())

    def close(self) -> None:
        """Write what is pending, close the file, end the thread."""
        with self._wake:
            self._closing = True
            self._pending.schedule(0.0)
        self._thread.join()
        if self._earlier is not None:
            self._earlier.close()
        self._keeper.release_lock()

    def _reading(self, read: Callable[[], list[Item]]) -> list[Item]:
        found, look = self._keeper.read(read)
        if look:
            with self._wake:
                self._pending.schedule(0.0)
        return found

    # The outbox's own thread.

    def _run(self) -> None:
        while True:
            closing = self._await_due()
            error = self._attempt()
            if error and error != self._state.error:
                log.error("writing the outbox failed, trying again: %s", error)
            with self._wake:
                self._plan_next(error)
                if closing and (error or not self._pending.held):
                    break
            if not self._only_look:
                self._call_listeners()
        if self._pending.held:
            log.error("the outbox closes with %d measurements that could not be written", self._pending.held)
        try:
            self._keeper.close(clean=not error)
        except sqlite3.Error as failure:
            log.error("the outbox was not closed cleanly: %s", failure)  # noqa: TRY400 - the sentence says it all

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
            self.incidents.add(
                "outbox-collision", f"Another process wrote to {self.path.name}: what waited here gets new numbers",
                file=self.path.name,
            )  # fmt: skip
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
                self._look_at_earlier()

    def _look_at_earlier(self) -> None:
        if self._earlier is not None:
            self._earlier.look(self._keeper.file.epoch)

    def _await_due(self) -> bool:
        """Wait for the next commit and take what it will hold; return whether the outbox is closing."""
        with self._wake:
            self._only_look = not self._pending.wait_until_due(LOOK_S)
            if not self._only_look:
                self._pending.begin_batch()
            return self._closing

    def _commit(self) -> None:
        file = self._keeper.file
        too_old = self._ages.made_before() if self._ages else None
        before, spoilt_before = (self._state.dropped.get(reason, 0) for reason in (TOO_OLD, CORRUPT))
        with self._wake:
            facts, given_up = dict(self._requests.facts), dict(self._requests.given_up)
        dropped = file.commit(
            self._pending.group(file.last_seq, file.chain), released=self._requests.release, max_bytes=self.max_bytes,
            made_before=too_old, given_up=given_up, facts=facts,
        )  # fmt: skip
        with self._wake:
            self._requests.done(given_up, facts)
            self._pending.end_batch()
            self._update_state()
        if self._ages and self._state.dropped.get(TOO_OLD, 0) != before:
            self._ages.again()
        if spoilt := self._state.dropped.get(CORRUPT, 0) - spoilt_before:
            text = f"{spoilt} rows of {self.path.name} were not what was written, and are gone"
            self.incidents.add(SPOILT, text, file=self.path.name, numbers=spoilt)
        if dropped and time.monotonic() >= self._log_again_at:  # a full outbox drops with every commit
            self._log_again_at = time.monotonic() + LOG_AGAIN_S
            log.warning("the outbox had to drop rows; in the life of this file: %s", self._state.dropped)

    def _plan_next(self, error: str) -> None:
        """After a commit, or a failed one: say how things stand and when to go on. The caller holds the condition."""
        if error:
            self._state = replace(self._state, error=error)
            self._pending.retry_after(RETRY_S)
            self._wake.notify_all()
            return
        self._pending.pause(URGENT_SPACING_S)
        if self._pending.queued or self._requests.release > self._state.released_seq:
            self._pending.schedule(0.0 if self._closing or self._pending.queued >= GROUP_MAX else self.commit_s)
        self._wake.notify_all()

    def _update_state(self) -> None:
        """Say what the file holds; the caller holds the condition."""
        file = self._keeper.file
        self._state = OutboxState(
            depth=file.depth, bytes=file.bytes, dropped=by_reason(file.dropped), epoch=file.epoch,
            durable_seq=file.last_seq, released_seq=file.first_kept - 1, set_aside=len(self._keeper.aside),
        )  # fmt: skip

    def _open_earlier(self, path: Path) -> Outbox:
        box = Outbox(path, commit_s=self.commit_s, max_bytes=NO_END, lock=self._keeper.lock, earlier=False)
        self.keep(earlier_key(box.epoch), str(box.state().durable_seq))
        box.subscribe(self._call_listeners)
        return box

    def _call_listeners(self) -> None:
        for listener in self._listeners:
            listener()
