"""The durable queue between the pipeline and the broker: on disk before it is sent, there until a receipt covers it.

The pipeline appends and never waits; a thread of the outbox's own (`gateway.outbox.writer`) numbers what came, and
commits it in groups. Readers see committed rows only. A full outbox drops its oldest rows, those of the lowest class
first, and says so in a gap record, which is as durable as a row.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from gateway.machine.file_lock import FileLock
from gateway.model.measurement import Measurement
from gateway.model.measurements import Fields, Measurements
from gateway.model.records import Record
from gateway.model.row import Gap, Row
from gateway.outbox.age_limit import AgeLimit
from gateway.outbox.earlier import Earlier
from gateway.outbox.eviction import NO_END, TOO_OLD
from gateway.outbox.facts import Facts
from gateway.outbox.gap_table import OUTBOX_FULL
from gateway.outbox.incidents import Incidents
from gateway.outbox.keeper import FileKeeper, OtherGatewayError
from gateway.outbox.limits import Limits
from gateway.outbox.lives import earlier_key
from gateway.outbox.pending import Pending, encode, with_number
from gateway.outbox.requests import Requests
from gateway.outbox.state import OutboxState, age_s, classes_of
from gateway.outbox.writer import OutboxWriter

__all__ = [
    "OUTBOX_FULL", "TOO_OLD", "Gap", "OtherGatewayError", "Outbox", "OutboxState", "Row",
    "encode", "with_number",
]  # fmt: skip

Item = TypeVar("Item")


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
        limits: `commit_s` and `max_bytes`, which may be changed.
        aside: Names of the damaged files that were renamed since the start.
        incidents: What happened to files and numbers that somebody should know of.
        facts: Texts that are kept beside the rows.
        earlier: What is left of earlier lives of this outbox, to be sent as theirs.

    Raises:
        HeldError: Another process writes the file.
        OtherGatewayError: It is another gateway's.
    """

    def __init__(
        self, path: Path, *, commit_s: float = 0.2, max_bytes: int = 512 * 2**20, max_age_s: float | None = None,
        on_commit: Callable[[], None] | None = None, now: Callable[[], float] = time.time, gateway: str = "",
        lock: FileLock | None = None, earlier: bool = True,
    ) -> None:  # fmt: skip
        self.path = path
        self.limits = Limits(commit_s, max_bytes)
        self.incidents = Incidents()
        self._now = now
        self._pending = Pending()
        self._wake = self._pending.condition
        self._requests = Requests()  # guarded by _wake
        self.earlier = Earlier(path, self.incidents, self._open_earlier if earlier else None)
        self._keeper = FileKeeper(
            path, gateway=gateway, lock=lock, guard=self._wake, requests=self._requests, incidents=self.incidents,
            on_overwritten=self.earlier.expect,
        )  # fmt: skip
        self.aside = self._keeper.aside
        self.facts = Facts(self._pending, self._requests, self._keeper, self.limits)
        self._writer = OutboxWriter(
            self._pending, self._requests, self._keeper, on_life=self.earlier.look, incidents=self.incidents,
            limits=self.limits, ages=None if max_age_s is None else AgeLimit(max_age_s, now=now),
        )  # fmt: skip
        if on_commit:
            self.subscribe(on_commit)
        self._writer.start()

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
            first = self._keeper.state.durable_seq + self._pending.numbers + 1
            if contents:
                self._pending.append(contents, made_us)
                self._pending.schedule(0.0 if urgent else self.limits.commit_s)
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
        return self._keeper.state.epoch

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` on the outbox's thread after each commit; it must be quick and not raise."""
        self._writer.listeners.append(listener)

    def read(self, after_seq: int, limit: int) -> list[Row]:
        """Return up to ``limit`` committed rows beyond ``after_seq``, in order."""
        return self._reading(lambda: self._keeper.file.read(after_seq, limit))

    def gaps(self, limit: int = 1000, *, after: int = 0, upto: int = NO_END) -> list[Gap]:
        """Return the first ``limit`` gaps beyond ``after`` and up to ``upto`` that no receipt has covered, in order."""
        return self._reading(lambda: self._keeper.file.gaps(limit, after=after, upto=upto))

    def release(self, epoch: str, seq: int) -> None:
        """Let everything up to ``seq`` go, since it is stored; ignored if it speaks of another epoch."""
        with self._wake:
            state = self._keeper.state
            if epoch == state.epoch and seq > max(self._requests.release, state.released_seq):
                self._requests.release = min(seq, state.durable_seq)
                self._pending.schedule(self.limits.commit_s)

    def give_up(self, epoch: str, rows: Iterable[Row], reason: str) -> None:
        """Make gaps of rows that can never be delivered, counted and told; ignored if they are of another epoch."""
        with self._wake:
            if epoch == self.epoch:
                self._requests.given_up |= {row.seq: (row.rank, reason) for row in rows}
                self._pending.schedule(0.0)

    @property
    def opened_last(self) -> int:
        """The last number that the present file had given when it was opened."""
        return self._keeper.opened_last

    def contradicted(self, epoch: str, stored: int, *, given: int) -> None:
        """Begin a new life: a receipt speaks of numbers that this file has never given, so it is an older image.

        Numbers beyond ``given``, up to ``stored``, may stand for something else elsewhere: they get new numbers in the
        new life. All else is sent again as what it was.
        """
        with self._wake:
            if epoch == self.epoch and self._requests.contradicted is None:
                self._requests.contradicted = stored, given
                self._pending.schedule(0.0)

    @property
    def life_ends(self) -> bool:
        """Whether a new life is about to begin: what is not given yet may get another number, and must not be sent."""
        return self._requests.contradicted is not None

    def state(self) -> OutboxState:
        """Return what the outbox holds."""
        state = self._keeper.state
        return replace(
            state,
            earlier=self.earlier.depth,
            depth=state.depth + self._pending.held,
            last_seq=state.durable_seq + self._pending.numbers,
            oldest_s=age_s(self._keeper.file.oldest_us, self._now()),
        )

    def classes(self) -> dict[str, dict[str, Any]]:
        """Return what of each class is on disk, how old the oldest is in seconds, and what had to go, by reason."""
        return classes_of(self._keeper.file, self._now())

    def close(self) -> None:
        """Write what is pending, close the file, end the thread."""
        self._writer.stop()
        self.earlier.close()
        self._keeper.release_lock()

    def _reading(self, read: Callable[[], list[Item]]) -> list[Item]:
        found, look = self._keeper.read(read)
        if look:
            with self._wake:
                self._pending.schedule(0.0)
        return found

    def _open_earlier(self, path: Path) -> Outbox:
        box = Outbox(path, commit_s=self.limits.commit_s, max_bytes=NO_END, lock=self._keeper.lock, earlier=False)
        self.facts.keep(earlier_key(box.epoch), str(box.state().durable_seq))
        box.subscribe(self._writer.call_listeners)
        return box
