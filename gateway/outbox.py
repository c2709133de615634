"""The durable queue between the pipeline and the broker: on disk before it is sent, there until a receipt covers it.

The pipeline appends and never waits; a thread of the outbox's own numbers what came, and commits it in groups. Readers
see committed rows only. A full outbox drops its oldest rows and says so in a gap record, which is as durable as a row.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import orjson

from gateway.measurement import Measurement
from gateway.outbox_file import (
    OUTBOX_FULL,
    DamagedError,
    FileError,
    Gap,
    OutboxFile,
    Row,
    UnopenedFile,
    is_damage,
    set_aside,
)

__all__ = ["OUTBOX_FULL", "Gap", "Outbox", "OutboxState", "Row"]

log = logging.getLogger(__name__)

Item = TypeVar("Item")

PENDING_MAX = 50_000
"""Measurements held in memory while the disk is slow: half a minute of a full ward, about 50 MB. Then the oldest go."""
GROUP_MAX = 5_000
"""Rows of one commit, so that one commit stays well below a second on a slow card."""
RELEASE_CHUNK = 5_000
"""Rows trimmed with one commit, for the same reason."""
URGENT_SPACING_S = 0.02
"""Least time between two commits: a burst of events shares one flush of the disk."""
RETRY_S = 1.0
"""Wait after a failed commit, such as a full disk: the measurements stay in memory meanwhile."""

DISK_SLOW = "disk slow"
NOT_ENCODABLE = "not encodable"


@dataclass(frozen=True, slots=True)
class OutboxState:
    """What the outbox holds.

    Attributes:
        depth: Rows on disk and in memory.
        bytes: On disk, with overhead.
        oldest_s: Age of the oldest row on disk, seconds; 0 when empty.
        dropped: Rows that had to go, by reason, in the life of this epoch.
        epoch: The life of this file, 16 hexadecimal digits.
        last_seq: The last number given.
        durable_seq: The last number on disk; the same unless a commit is failing.
        released_seq: Everything up to here has left with a receipt or as a gap.
        error: Why commits fail at present; empty when they do not.
        set_aside: Damaged files that were renamed since the start.
    """

    depth: int = 0
    bytes: int = 0
    oldest_s: float = 0.0
    dropped: dict[str, int] = field(default_factory=dict)
    epoch: str = ""
    last_seq: int = 0
    durable_seq: int = 0
    released_seq: int = 0
    error: str = ""
    set_aside: int = 0


class Outbox:
    """A durable, bounded queue of measurements, numbered 1, 2, 3 … within its epoch.

    Args:
        path: The file; its folder must exist. Created if absent, set aside and replaced if damaged.
        commit_s: Longest wait of a measurement before it is written, seconds.
        max_bytes: Cap of the rows on disk; beyond it the oldest are dropped, counted and told.
        on_commit: Called on the outbox's thread after each commit that changed something; must be quick.
        now: Wall clock, seconds, for the age of rows.

    A file that cannot be opened (a full disk, a read-only folder) is tried again each second; meanwhile measurements
    wait in memory, and the state says why.
    """

    def __init__(
        self,
        path: Path,
        *,
        commit_s: float = 0.2,
        max_bytes: int = 512 * 2**20,
        on_commit: Callable[[], None] | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.path = path
        self.commit_s = commit_s
        self.max_bytes = max_bytes
        self._listeners: list[Callable[[], None]] = [on_commit] if on_commit else []
        self._now = now
        self._wake = threading.Condition()
        # Guarded by _wake: what the pipeline and the publisher hand over.
        self._pending: deque[tuple[Measurement, int]] = deque()
        self._overflow = 0
        self._due: float | None = None  # monotonic time of the next commit
        self._release = 0
        self._closing = False
        # The outbox's thread only: taken from pending, not on disk yet.
        self._batch: list[tuple[Measurement, int]] = []
        self._batch_overflow = 0
        self._not_before = 0.0  # monotonic time before which the next commit must not be
        self._damaged = threading.Event()
        self._file_lock = threading.Lock()  # readers against replacing the file
        self._set_aside = 0
        self._state = OutboxState()
        self._file: OutboxFile | UnopenedFile = UnopenedFile("")
        try:
            self._file = self._open()
        except sqlite3.OperationalError as error:
            log.error("the outbox cannot be opened, measurements wait in memory: %s", error)  # noqa: TRY400
            self._file = UnopenedFile(str(error))
        self._take_stock()
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._thread.start()

    # For the pipeline.

    def append(self, measurements: Sequence[Measurement], *, urgent: bool = False) -> None:
        """Queue measurements in the order given; never waits for the disk. ``urgent`` commits at once."""
        if not measurements:
            return
        made_us = int(self._now() * 1e6)
        with self._wake:
            self._pending.extend((measurement, made_us) for measurement in measurements)
            while len(self._pending) > PENDING_MAX:
                self._pending.popleft()
                self._overflow += 1
            self._schedule(0.0 if urgent else self.commit_s)

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until everything appended so far is on disk; False if that took too long."""
        deadline = time.monotonic() + timeout_s
        with self._wake:
            self._schedule(0.0)
            while self._pending or self._overflow or self._batch or self._batch_overflow:
                if not self._wake.wait(deadline - time.monotonic()):
                    return False
            return True

    # For the publisher.

    @property
    def epoch(self) -> str:
        """The life of the present file."""
        return self._state.epoch

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` on the outbox's thread after each commit; it must be quick and not raise."""
        self._listeners.append(listener)

    def read(self, after_seq: int, limit: int) -> list[Row]:
        """Return up to ``limit`` committed rows beyond ``after_seq``, in order."""
        return self._reading(lambda: self._file.read(after_seq, limit))

    def gaps(self, limit: int = 1000) -> list[Gap]:
        """Return the first ``limit`` gaps that no receipt has covered yet, in order."""
        return self._reading(lambda: self._file.gaps(limit))

    def release(self, epoch: str, seq: int) -> None:
        """Let everything up to ``seq`` go, since it is stored; ignored if it speaks of another epoch."""
        with self._wake:
            state = self._state
            if epoch == state.epoch and seq > max(self._release, state.released_seq):
                self._release = min(seq, state.durable_seq)
                self._schedule(self.commit_s)

    def state(self) -> OutboxState:
        """Return what the outbox holds."""
        state = self._state
        oldest_us = self._file.oldest_us
        return replace(
            state,
            depth=state.depth + len(self._pending) + len(self._batch),
            last_seq=state.durable_seq + len(self._pending) + len(self._batch) + self._overflow + self._batch_overflow,
            oldest_s=0.0 if oldest_us is None else max(0.0, self._now() - oldest_us / 1e6),
        )

    def close(self) -> None:
        """Write what is pending, close the file, end the thread."""
        with self._wake:
            self._closing = True
            self._schedule(0.0)
        self._thread.join()

    def _reading(self, read: Callable[[], list[Item]]) -> list[Item]:
        with self._file_lock:
            found: list[Item] = []
            try:
                found = read()
            except FileError as error:
                log.warning("reading the outbox failed: %s", error)
                if is_damage(error):
                    self._damaged.set()
            mend = self._damaged.is_set() or self._file.spoilt
        if mend:
            with self._wake:
                self._schedule(0.0)
        return found

    # The outbox's own thread.

    def _schedule(self, within_s: float) -> None:
        """Have a commit within so many seconds; the caller holds the condition."""
        now = time.monotonic()
        due = max(now + within_s, self._not_before)
        if self._due is None or due < self._due:
            self._due = due
            self._wake.notify_all()

    def _run(self) -> None:
        while True:
            closing = self._take()
            error = self._attempt()
            if error and error != self._state.error:
                log.error("writing the outbox failed, trying again: %s", error)
            with self._wake:
                self._settle(error)
                if closing and (error or not self._left()):
                    break
            for listener in self._listeners:
                listener()
        if self._left():
            log.error("the outbox closes with %d measurements that could not be written", self._left())
        with self._file_lock:
            try:
                self._file.close(clean=not error)
            except sqlite3.Error as failure:
                log.error("the outbox was not closed cleanly: %s", failure)  # noqa: TRY400 - the sentence says it all

    def _attempt(self) -> str:
        """Commit what was taken; return why that failed, or nothing."""
        try:
            if self._damaged.is_set():
                self._replace()
            if isinstance(self._file, UnopenedFile):
                self._open_late()
            self._commit()
        except FileError as failure:
            if is_damage(failure):
                self._damaged.set()
            return str(failure)
        except Exception as failure:  # noqa: BLE001 - this thread must outlive a defect: it is the supervisor
            return f"{type(failure).__name__}: {failure}"
        return ""

    def _left(self) -> int:
        return len(self._pending) + len(self._batch)

    def _take(self) -> bool:
        """Wait for the next commit and take what it will hold; return whether the outbox is closing."""
        with self._wake:
            while self._due is None or (wait_s := self._due - time.monotonic()) > 0:
                self._wake.wait(None if self._due is None else wait_s)
            self._due = None
            # What a failed commit held comes first, with its numbers.
            if not self._batch and not self._batch_overflow:
                self._batch_overflow, self._overflow = self._overflow, 0
                n = min(len(self._pending), GROUP_MAX)
                self._batch = [self._pending.popleft() for _ in range(n)]
            return self._closing

    def _commit(self) -> None:
        file = self._file
        seq = file.last_seq
        gaps: list[Gap] = []
        if self._batch_overflow:
            gaps.append(Gap(seq + 1, seq + self._batch_overflow, DISK_SLOW))
            seq += self._batch_overflow
        rows: list[tuple[Row, int]] = []
        for measurement, made_us in self._batch:
            seq += 1
            try:
                row = Row(seq, measurement.slot, measurement.start_us == measurement.end_us, encode(measurement, seq))
            except TypeError as error:  # orjson: a value of a type that JSON does not have
                log.error("measurement %d of %s cannot be encoded: %s", seq, measurement.metric, error)  # noqa: TRY400
                gaps.append(Gap(seq, seq, NOT_ENCODABLE))
            else:
                rows.append((row, made_us))
        released = min(self._release, self._state.released_seq + RELEASE_CHUNK)
        dropped = file.commit(rows, gaps, last_seq=seq, released=released, max_bytes=self.max_bytes)
        with self._wake:
            self._batch, self._batch_overflow = [], 0
            self._take_stock()
        if dropped:
            log.warning("the outbox is full: %d of the oldest measurements dropped", dropped)

    def _settle(self, error: str) -> None:
        """After a commit, or a failed one: say how things stand and when to go on. The caller holds the condition."""
        self._not_before = time.monotonic() + (RETRY_S if error else URGENT_SPACING_S)
        if error:
            self._state = replace(self._state, error=error)
            self._due = self._not_before
        elif self._pending or self._overflow or self._release > self._state.released_seq:
            self._schedule(0.0 if self._closing or len(self._pending) >= GROUP_MAX else self.commit_s)
        self._wake.notify_all()

    def _take_stock(self) -> None:
        file = self._file
        self._state = OutboxState(
            depth=file.depth, bytes=file.bytes, dropped=file.dropped, epoch=file.epoch, durable_seq=file.last_seq,
            released_seq=file.first_kept - 1, set_aside=self._set_aside,
        )  # fmt: skip

    def _open_late(self) -> None:
        file = self._open()
        with self._file_lock, self._wake:
            self._file = file
            self._take_stock()

    def _open(self) -> OutboxFile:
        try:
            return OutboxFile(self.path)
        except DamagedError as error:
            kept = set_aside(self.path)
            self._set_aside += 1
            log.error("the outbox was damaged (%s): kept as %s, starting a new one", error, kept.name)  # noqa: TRY400
            return OutboxFile(self.path)

    def _replace(self) -> None:
        """Set a file aside that turned out to be damaged, and go on with a new one; what is in memory goes there."""
        with self._file_lock, self._wake:
            self._file.abandon()
            if self.path.exists():
                kept = set_aside(self.path)
                self._set_aside += 1
                log.error("the outbox is damaged: kept as %s, starting a new one", kept.name)
            self._file = OutboxFile(self.path)
            self._release = 0
            self._damaged.clear()
            self._take_stock()


def encode(measurement: Measurement, seq: int) -> bytes:
    """Return the JSON of a measurement with its number; raises TypeError for a value that JSON does not have."""
    return b'{"seq":%d,%b' % (seq, orjson.dumps(measurement, option=orjson.OPT_SERIALIZE_NUMPY)[1:])
