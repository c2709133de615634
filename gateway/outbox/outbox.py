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
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat
from pathlib import Path
from typing import Any, TypeVar

import orjson

from gateway.machine.damage import suspicious
from gateway.machine.file_lock import FileLock, HeldError
from gateway.machine.file_place import Place
from gateway.model.measurement import Measurement
from gateway.model.records import Record, body
from gateway.model.row import AUDIT, CLASSES, EVENT, METRIC, UNKNOWN, Chain, Gap, Row
from gateway.model.wall_correction import SLOT as CLOCK
from gateway.outbox.age_limit import AgeLimit
from gateway.outbox.earlier import Earlier
from gateway.outbox.file import (
    CORRUPT,
    NO_END,
    OUTBOX_FULL,
    TOO_OLD,
    DamagedError,
    FileError,
    OutboxFile,
    UnopenedFile,
    set_aside,
)
from gateway.outbox.incidents import Incidents
from gateway.outbox.move import finish_move, move_on, rewrite

__all__ = ["OUTBOX_FULL", "TOO_OLD", "Gap", "Outbox", "OutboxState", "Row"]

log = logging.getLogger(__name__)

Item = TypeVar("Item")
Content = Measurement | Record | int
"""What waits for its number: a number of numbers whose contents had to go, too."""

PENDING_MAX = 50_000
"""Rows held in memory while the disk is slow: half a minute of a full ward, about 50 MB. Then the oldest of the lowest
class go."""
PENDING_ROOM = 10
"""One part in so many is made free at once: looking through all of them for each new one would take too long."""
GROUP_MAX = 5_000
"""Rows of one commit, so that one commit stays well below a second on a slow card."""
URGENT_SPACING_S = 0.02
"""Least time between two commits: a burst of events shares one flush of the disk."""
TELL_AGAIN_S = 60.0
"""Least time between two lines of the log that say that rows were dropped."""
RETRY_S = 1.0
"""Wait after a failed commit, such as a full disk: the measurements stay in memory meanwhile."""
LOOK_S = 1.0
"""Longest time between two looks whether the file still is where it was."""
DOUBTS_MOST = 3
"""A file that looks whole, and fails each commit all the same, is set aside after so many: all that can be read of it
is brought over."""
SPOILT = "outbox-spoilt"
"""The incident of rows, or of numbers in a torn log, that had to become gaps."""
GATEWAY = "gateway"
"""The fact that says whose outbox a file is."""

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
        earlier: Rows of earlier lives of the outbox that wait, on disk too.
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
    earlier: int = 0


class OtherGatewayError(Exception):
    """The outbox in the data folder is another gateway's, and holds what that one has not sent."""

    advice = "Start that gateway once more, so that it is sent, or give this one a data folder (site.data) of its own."


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
        read_failures: How often reading failed, and gave nothing though there may be something.

    Raises:
        HeldError: Another process writes the file.
        OtherGatewayError: It is another gateway's.
    """

    def __init__(
        self,
        path: Path,
        *,
        commit_s: float = 0.2,
        max_bytes: int = 512 * 2**20,
        max_age_s: float | None = None,
        on_commit: Callable[[], None] | None = None,
        now: Callable[[], float] = time.time,
        gateway: str = "",
        lock: FileLock | None = None,
        earlier: bool = True,
    ) -> None:
        self.path = path
        self.commit_s = commit_s
        self.max_bytes = max_bytes
        self._listeners: list[Callable[[], None]] = [on_commit] if on_commit else []
        self._now = now
        self._wake = threading.Condition()
        # Guarded by _wake: what the pipeline and the publisher hand over.
        self._pending: deque[tuple[Content, int]] = deque()
        self._held = self._missing = 0  # rows in pending, and numbers whose contents had to go
        self._lost: Counter[tuple[str, int]] = Counter()  # the latter by reason and class
        self._due: float | None = None  # monotonic time of the next commit
        self._release = 0
        self._given_up: dict[int, tuple[int, str]] = {}  # class and reason by number
        self._closing = False
        # The outbox's thread only: taken from pending, not on disk yet.
        self._batch: list[tuple[Content, int]] = []
        self._batch_held = self._batch_missing = 0
        self._batch_lost: Counter[tuple[str, int]] = Counter()
        self._ages = None if max_age_s is None else AgeLimit(max_age_s, now=now)
        self._tell_again_at = 0.0
        self._not_before = 0.0  # monotonic time before which the next commit must not be
        self._damaged = threading.Event()
        self._file_lock = threading.Lock()  # readers against replacing the file
        self.aside: list[str] = []
        self.incidents = Incidents()
        self.read_failures = 0
        self._gateway = gateway
        self._lock, self._owns_lock = lock, lock is None
        self._place: Place | None = None
        self._doubts = 0  # failures in a row of a file that looks whole
        self._opened_last = 0
        # What a receipt said of numbers that were never given, and up to where ours are surely ours; guarded by _wake.
        self._contradicted: tuple[int, int] | None = None
        self._new_facts: dict[str, str] = {}  # guarded by _wake
        self._only_look = False
        self._state = OutboxState()
        self._file: OutboxFile | UnopenedFile = UnopenedFile("")
        self._earlier = Earlier(path, self.incidents, self._open_earlier) if earlier else None
        try:
            self._begin()
        except (sqlite3.OperationalError, OSError) as error:
            log.error("the outbox cannot be opened, measurements wait in memory: %s", error)  # noqa: TRY400
            self._file = UnopenedFile(str(error))
        except BaseException:
            self._release_lock()
            raise
        self._take_stock()
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._thread.start()

    # For the pipeline.

    def append(self, measurements: Sequence[Measurement], *, urgent: bool = False) -> int:
        """Queue measurements in the order given; never waits for the disk. ``urgent`` commits at once.

        Returns:
            The number of the first, in the present epoch.
        """
        return self._append(measurements, urgent=urgent)

    def record(self, record: Record) -> None:
        """Queue a notice or an entry of the audit; it is committed at once."""
        self._append([record], urgent=True)

    def _append(self, contents: Sequence[Measurement | Record], *, urgent: bool) -> int:
        made_us = int(self._now() * 1e6)
        with self._wake:
            first = self._last_seq() + 1
            if contents:
                self._pending.extend(zip(contents, repeat(made_us)))
                self._held += len(contents)
                if self._held > PENDING_MAX:
                    self._thin_out()
                self._schedule(0.0 if urgent else self.commit_s)
        return first

    def _last_seq(self) -> int:
        return self._state.durable_seq + self._held + self._missing + self._batch_held + self._batch_missing

    def _thin_out(self) -> None:
        """Let the oldest of the lowest class go: memory is full. Their numbers stay. The caller holds the condition."""
        too_many = max(self._held - PENDING_MAX, PENDING_MAX // PENDING_ROOM)
        for rank in range(len(CLASSES)):
            kept: deque[tuple[Content, int]] = deque()
            for content, made_us in self._pending:
                left = content
                if too_many and not isinstance(content, int) and rank_of(content) == rank:
                    too_many -= 1
                    self._held, self._missing = self._held - 1, self._missing + 1
                    self._lost[DISK_SLOW, rank] += 1
                    left = 1
                if isinstance(left, int) and kept and isinstance(before := kept[-1][0], int):
                    kept[-1] = before + left, made_us
                else:
                    kept.append((left, made_us))
            self._pending = kept

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until everything appended so far is on disk; False if that took too long."""
        deadline = time.monotonic() + timeout_s
        with self._wake:
            self._schedule(0.0)
            while self._pending or self._batch:
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

    def gaps(self, limit: int = 1000, *, after: int = 0, upto: int = NO_END) -> list[Gap]:
        """Return the first ``limit`` gaps beyond ``after`` and up to ``upto`` that no receipt has covered, in order."""
        return self._reading(lambda: self._file.gaps(limit, after=after, upto=upto))

    def release(self, epoch: str, seq: int) -> None:
        """Let everything up to ``seq`` go, since it is stored; ignored if it speaks of another epoch."""
        with self._wake:
            state = self._state
            if epoch == state.epoch and seq > max(self._release, state.released_seq):
                self._release = min(seq, state.durable_seq)
                self._schedule(self.commit_s)

    def give_up(self, epoch: str, rows: Iterable[Row], reason: str) -> None:
        """Make gaps of rows that can never be delivered, counted and told; ignored if they are of another epoch."""
        with self._wake:
            if epoch == self._state.epoch:
                self._given_up |= {row.seq: (row.rank, reason) for row in rows}
                self._schedule(0.0)

    @property
    def opened_last(self) -> int:
        """The last number that the present file had given when it was opened."""
        return self._opened_last

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
            return self._new_facts.get(key) or self._file.facts.get(key, "")

    def keep(self, key: str, value: str) -> None:
        """Keep a text beside the rows, on disk with the next commit."""
        with self._wake:
            self._new_facts[key] = value
            self._schedule(self.commit_s)

    def contradicted(self, epoch: str, stored: int, *, given: int) -> None:
        """Begin a new life: a receipt speaks of numbers that this file has never given, so it is an older image.

        Numbers beyond ``given``, up to ``stored``, may stand for something else elsewhere: they get new numbers in the
        new life. All else is sent again as what it was.
        """
        with self._wake:
            if epoch == self._state.epoch and self._contradicted is None:
                self._contradicted = stored, given
                self._schedule(0.0)

    def state(self) -> OutboxState:
        """Return what the outbox holds."""
        state = self._state
        return replace(
            state,
            earlier=0 if self._earlier is None else self._earlier.depth,
            depth=state.depth + self._held + self._batch_held,
            last_seq=self._last_seq(),
            oldest_s=self._age(filter(None, self._file.oldest_us)),
        )

    def classes(self) -> dict[str, dict[str, Any]]:
        """Return what of each class is on disk, how old the oldest is in seconds, and what had to go, by reason."""
        file = self._file
        depths, oldest, dropped = file.depths, file.oldest_us, file.dropped
        found: dict[str, dict[str, Any]] = {
            name: {
                "depth": depths[rank],
                "oldest_s": self._age(filter(None, [oldest[rank]])),
                "dropped": {reason: n for (reason, of), n in dropped.items() if of == rank},
            }
            for rank, name in enumerate(CLASSES)
        }
        if unknown := {reason: n for (reason, of), n in dropped.items() if of == UNKNOWN}:
            found["unknown"] = {"depth": 0, "oldest_s": 0.0, "dropped": unknown}
        return found

    def _age(self, made_us: Iterable[int]) -> float:
        oldest_us = min(made_us, default=None)
        return 0.0 if oldest_us is None else max(0.0, self._now() - oldest_us / 1e6)

    def close(self) -> None:
        """Write what is pending, close the file, end the thread."""
        with self._wake:
            self._closing = True
            self._schedule(0.0)
        self._thread.join()
        if self._earlier is not None:
            self._earlier.close()
        self._release_lock()

    def _release_lock(self) -> None:
        if self._owns_lock and self._lock is not None:
            self._lock.release()

    def _reading(self, read: Callable[[], list[Item]]) -> list[Item]:
        with self._file_lock:
            found: list[Item] = []
            try:
                found = read()
            except FileError as error:
                self.read_failures += 1
                log.warning("reading the outbox failed: %s", error)
                if suspicious(error):
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
            if not self._only_look:
                self._tell_listeners()
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
            self._keep_place()
            if self._damaged.is_set():
                self._mend()
            if isinstance(self._file, UnopenedFile):
                self._open_late()
            if self._contradicted is not None:
                self._begin_anew(*self._contradicted)
            if not self._only_look:
                self._commit()
                self._doubts = 0
        except sqlite3.IntegrityError as failure:
            # The file holds numbers that we have not given: it is not damaged, somebody else has written to it.
            self._damaged.set()
            self.incidents.add(
                "outbox-collision", f"Another process wrote to {self.path.name}: what waited here gets new numbers",
                file=self.path.name,
            )  # fmt: skip
            return str(failure)
        except FileError as failure:
            if suspicious(failure):
                self._damaged.set()
            return str(failure)
        except (HeldError, OSError) as failure:
            return str(failure)
        except Exception as failure:  # noqa: BLE001 - this thread must outlive a defect: it is the supervisor
            return f"{type(failure).__name__}: {failure}"
        return ""

    def _left(self) -> int:
        return self._held + self._batch_held

    def _take(self) -> bool:
        """Wait for the next commit and take what it will hold; return whether the outbox is closing."""
        with self._wake:
            look_at = time.monotonic() + LOOK_S
            while (wait_s := (look_at if self._due is None else min(self._due, look_at)) - time.monotonic()) > 0:
                self._wake.wait(wait_s)
            self._only_look = self._due is None or self._due > time.monotonic()
            if self._only_look:
                return self._closing
            self._due = None
            # What a failed commit held comes first, with its numbers.
            if not self._batch:
                n = min(len(self._pending), GROUP_MAX)
                self._batch = [self._pending.popleft() for _ in range(n)]
                missing = [c for c, _ in self._batch if isinstance(c, int)] if self._missing else []
                self._batch_held, self._batch_missing = n - len(missing), sum(missing)
                self._held, self._missing = self._held - self._batch_held, self._missing - self._batch_missing
                self._batch_lost, self._lost = self._lost, Counter()
            return self._closing

    def _commit(self) -> None:
        file = self._file
        rows, gaps, lost, chain, seq = self._numbered(file.last_seq, file.chain)
        too_old = self._ages.made_before() if self._ages else None
        before, spoilt_before = (self._state.dropped.get(reason, 0) for reason in (TOO_OLD, CORRUPT))
        with self._wake:
            facts, given_up = dict(self._new_facts), dict(self._given_up)
        dropped = file.commit(
            rows, gaps, last_seq=seq, released=self._release, max_bytes=self.max_bytes, lost=lost, chain=chain,
            made_before=too_old, given_up=given_up, facts=facts,
        )  # fmt: skip
        with self._wake:
            self._given_up = {seq: of for seq, of in self._given_up.items() if seq not in given_up}
            self._batch, self._batch_lost = [], Counter()
            self._batch_held = self._batch_missing = 0
            self._new_facts = {key: value for key, value in self._new_facts.items() if facts.get(key) != value}
            self._take_stock()
        if self._ages and self._state.dropped.get(TOO_OLD, 0) != before:
            self._ages.again()
        if spoilt := self._state.dropped.get(CORRUPT, 0) - spoilt_before:
            text = f"{spoilt} rows of {self.path.name} were not what was written, and are gone"
            self.incidents.add(SPOILT, text, file=self.path.name, numbers=spoilt)
        if dropped and time.monotonic() >= self._tell_again_at:  # a full outbox drops with every commit
            self._tell_again_at = time.monotonic() + TELL_AGAIN_S
            log.warning("the outbox had to drop rows; in the life of this file: %s", self._state.dropped)

    def _numbered(
        self, seq: int, chain: Chain
    ) -> tuple[list[tuple[Row, int]], list[Gap], Counter[tuple[str, int]], Chain, int]:
        """Return rows, gaps and what these were, and how far audit and numbers are, of what the next commit holds."""
        rows: list[tuple[Row, int]] = []
        gaps: list[Gap] = []
        lost = self._batch_lost.copy()
        for content, made_us in self._batch:
            if isinstance(content, int):
                gaps.append(Gap(seq + 1, seq + content, DISK_SLOW))
                seq += content
                continue
            seq += 1
            try:
                if isinstance(content, Record):
                    made, chain = body(content, chain)
                    row = Row(seq, "", content.rank, with_number(made, seq))
                else:
                    rank = METRIC if content.start_us != content.end_us else rank_of(content)
                    row = Row(seq, content.slot, rank, encode(content, seq))
            except TypeError as error:  # orjson: a value of a type that JSON does not have
                name = content.metric if isinstance(content, Measurement) else content.what
                log.error("number %d, %s, cannot be encoded: %s", seq, name, error)  # noqa: TRY400
                gaps.append(Gap(seq, seq, NOT_ENCODABLE))
                lost[NOT_ENCODABLE, rank_of(content)] += 1
            else:
                rows.append((row, made_us))
        return rows, gaps, lost, chain, seq

    def _settle(self, error: str) -> None:
        """After a commit, or a failed one: say how things stand and when to go on. The caller holds the condition."""
        self._not_before = time.monotonic() + (RETRY_S if error else URGENT_SPACING_S)
        if error:
            self._state = replace(self._state, error=error)
            self._due = self._not_before
        elif self._pending or self._release > self._state.released_seq:
            self._schedule(0.0 if self._closing or len(self._pending) >= GROUP_MAX else self.commit_s)
        self._wake.notify_all()

    def _take_stock(self) -> None:
        file = self._file
        dropped: Counter[str] = Counter()
        for (reason, _), n in file.dropped.items():
            dropped[reason] += n
        self._state = OutboxState(
            depth=file.depth, bytes=file.bytes, dropped=dict(dropped), epoch=file.epoch, durable_seq=file.last_seq,
            released_seq=file.first_kept - 1, set_aside=len(self.aside),
        )  # fmt: skip

    def _begin(self) -> None:
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
        with self._file_lock, self._wake:
            if self._gateway:
                self._new_facts[GATEWAY] = self._gateway
                self._schedule(self.commit_s)
            self._use(file)
        if self._earlier is not None:
            self._earlier.look(file.epoch)

    def _use(self, file: OutboxFile) -> None:
        """Go on with a file; the caller holds both locks."""
        self._file = file
        self._place = Place(self.path, file.header)
        self._opened_last = file.last_seq
        self._take_stock()
        if file.torn:
            text = f"The log of {self.path.name} was torn: up to {file.torn} numbers of it are gone"
            self.incidents.add(SPOILT, text, file=self.path.name, numbers=file.torn)

    def _open_late(self) -> None:
        self._begin()

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

    def _mend(self) -> None:
        """Look at the file that an error has put in doubt: go on with it if it is whole, else with a new one."""
        self._doubts += 1
        with self._file_lock, self._wake:
            self._file.abandon()
            epoch, facts = self._file.epoch, self._file.facts
            try:
                if self._doubts > DOUBTS_MOST:
                    raise DamagedError("it looks whole, and cannot be written")  # noqa: TRY301 - as any other damage
                file = OutboxFile(self.path, recount=True)
            except DamagedError as error:
                file = self._open_anew(error)
                self._release = 0
                self._new_facts = {**facts, **self._new_facts, earlier_key(epoch): str(self._state.durable_seq)}
            opened_last = self._opened_last
            self._use(file)
            if file.epoch == epoch:
                self._opened_last = opened_last
            self._damaged.clear()
        if self._earlier is not None and file.epoch != epoch:
            self._earlier.look(file.epoch)

    def _keep_place(self) -> None:
        """See that lock and file still are where they were; write the file anew where it is not."""
        if self._lock is not None:
            self._lock.renew()
        if self._place is None or not isinstance(self._file, OutboxFile) or not (change := self._place.change()):
            return
        if change == "written over":
            self._leave_overwritten()
            return
        log.error("the outbox %s was %s while it was in use: writing it anew", self.path, change)
        with self._file_lock, self._wake:
            opened_last = self._opened_last
            kept = rewrite(self._file, self.path, change, self._place)
            self._use(OutboxFile(self.path))
            self._opened_last = opened_last
        if kept is not None:
            self.aside.append(kept.name)
        what = f"{self.path.name} was {change} while the gateway was using it; nothing in it was lost"
        self.incidents.add("outbox-removed", what, file=self.path.name, change=change)

    def _leave_overwritten(self) -> None:
        """Go on in a new life: what was in a file that somebody wrote over is in doubt, each row for itself.

        What the rows' sums of check say is whole is sent after all; all the others become gaps of the old life.
        """
        file, state = self._file, self._state
        assert isinstance(file, OutboxFile)
        with self._file_lock, self._wake:
            kept = set_aside(self.path, "replaced")
            file.abandon()
            facts = {**file.facts, **self._new_facts, earlier_key(file.epoch): str(state.durable_seq)}
            self._release = 0
            self._new_facts = facts
            self._use(OutboxFile(self.path))
            self._damaged.clear()
        self.aside.append(kept.name)
        text = (
            f"{self.path.name} was written over while the gateway was using it, and is kept as {kept.name}: of numbers"
            f" {state.released_seq + 1} to {state.durable_seq} what can be read is sent, the others are told as gaps"
        )
        log.error("%s", text)
        self.incidents.add("outbox-removed", text, file=self.path.name, change="written over")
        if self._earlier is not None:
            self._earlier.expect(file.epoch, state.released_seq, state.durable_seq)
            self._earlier.look(self._file.epoch)

    def _begin_anew(self, stored: int, given: int) -> None:
        """Leave this life of the outbox, an older image of itself, and go on in a new one."""
        file = self._file
        assert isinstance(file, OutboxFile)
        with self._file_lock, self._wake:
            self._contradicted = None
            file.facts.update(self._new_facts)
            moved = move_on(file, self.path, after=given, upto=min(stored, file.last_seq))
            self._release = 0
            self._use(OutboxFile(self.path))
            self._opened_last = 0  # what was moved was given by this run, too
        text = (
            f"The outbox was an older image of itself: the history has numbers up to {stored} of it, and it had given"
            f" none beyond {given}. {moved} rows got new numbers; numbers {given + 1} to {stored} are in doubt"
        )
        log.error("%s", text)
        self.incidents.add(
            "outbox-restored", text, epoch=file.epoch, gave=given, stored=stored, moved=moved, new=self._file.epoch
        )
        if self._earlier is not None:
            self._earlier.look(self._file.epoch)

    def _open_earlier(self, path: Path) -> Outbox:
        box = Outbox(path, commit_s=self.commit_s, max_bytes=NO_END, lock=self._lock, earlier=False)
        self.keep(earlier_key(box.epoch), str(box.state().durable_seq))
        box.subscribe(self._tell_listeners)
        return box

    def _tell_listeners(self) -> None:
        for listener in self._listeners:
            listener()


def earlier_key(epoch: str) -> str:
    """Return under which name an outbox keeps that it had an earlier life, with the last number of it that is known."""
    return f"earlier {epoch}"


def rank_of(content: Measurement | Record) -> int:
    """Return the class of what is to be queued."""
    if isinstance(content, Record):
        return content.rank
    if content.start_us != content.end_us:
        return METRIC
    return AUDIT if content.slot == CLOCK else EVENT  # what mends the times of all others goes last


def encode(measurement: Measurement, seq: int) -> bytes:
    """Return the JSON of a measurement with its number; raises TypeError for a value that JSON does not have."""
    return b'{"seq":%d,%b' % (seq, orjson.dumps(measurement, option=orjson.OPT_SERIALIZE_NUMPY)[1:])


def with_number(made: bytes, seq: int) -> bytes:
    """Return a JSON object with its number before all else."""
    return b'{"seq":%d,%b' % (seq, made[1:])
