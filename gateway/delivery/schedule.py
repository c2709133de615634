"""Which rows of the outbox go next: the live ones, the old ones, and what is sent again. One epoch's books.

The gaps between rows go with them: a history that hears of both in the order of their numbers has little to remember.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import pairwise

from gateway.delivery.backlog_pace import BacklogPace
from gateway.delivery.batching import MAX_BYTES, SlotBatches, by_slot
from gateway.delivery.receipts import Reach
from gateway.delivery.resend import Resend
from gateway.machine.allowance import Allowance
from gateway.model.row import Gap, Row
from gateway.outbox.outbox import Outbox
from gateway.wire.receipt import Contiguous

READ_ROWS = 1_000
READ_GAPS = 1_000
"""While so many wait to be sent, nothing more is read: with those of one more read there are never twice as many."""
HELD_MAX = 4_000
"""Rows in memory that wait for their slot's second."""
LIVE_LAG = 2_000
"""Rows: further behind than this, the old ones wait and the present goes on."""
BACKLOG_ROWS_PER_S = 10_000.0
"""Old rows sent in a second at most: over ten times what a ward of twenty makes, and no flood for a small broker."""


class SendSchedule:
    """What of one epoch of the outbox has been handed out, what comes next, and what the broker took.

    Args:
        outbox: Where rows come from.
        resend: When to send again what no receipt covers.
        now: Monotonic seconds.
        receipts: Whether there are any, so that old rows wait for those of the rows before them.
    """

    def __init__(self, outbox: Outbox, *, resend: Resend, now: float, receipts: bool = True) -> None:
        state = outbox.state()
        self.epoch = state.epoch
        self.max_bytes = MAX_BYTES
        self.resent = 0
        self._outbox = outbox
        self._resend = resend
        self._upto = state.released_seq
        self._batches = SlotBatches()
        self._ranges: deque[tuple[int, int]] = deque()  # (after, upto) of old rows
        self._old: deque[list[Row]] = deque()
        self._missing: deque[list[Row]] = deque()  # what is sent again
        self._gaps: deque[Gap] = deque()
        self._taken = Contiguous(state.released_seq)
        self._received = Reach()
        # A later number was never sent before this run, so whoever has it has it from another outbox of this name.
        self._given_before = outbox.opened_last
        self._allowance = Allowance(BACKLOG_ROWS_PER_S, BACKLOG_ROWS_PER_S, now, left=0.0)
        self._pace = BacklogPace(now) if receipts else None

    @property
    def taken_upto(self) -> int:
        """Everything up to here the broker has taken, or it is a gap that it was told."""
        return self._taken.upto

    @property
    def backlog(self) -> int:
        """Numbers of old rows that wait, about: gaps within count too."""
        return sum(upto - after for after, upto in self._ranges) + sum(map(len, (*self._old, *self._missing)))

    def live(self, now: float) -> list[Row]:
        """Return the rows of the next live message that may go now; empty if none may."""
        durable = self._outbox.state().durable_seq
        if durable - self._upto > LIVE_LAG:
            self._leave_behind(durable)
        while self._upto < durable and self._batches.rows < HELD_MAX and len(self._gaps) < READ_GAPS:
            before = self._upto
            rows, self._upto = self._read(before, durable)
            self._batches.add(self._never_sent(rows))
            if self._upto == before:
                break
        return self._batches.next_batch(now, self.max_bytes)

    def old(self, now: float) -> list[Row]:
        """Return the rows of the next message of old rows, as fast as those may go; empty if none may now."""
        if not self._ranges and not self._old and not self._missing:
            self._allowance.rest(now)
            return []
        if self._allowance.left(now) <= 0:
            return []
        if self._missing:
            # The others may be waiting for the receipts that these bring on.
            self._allowance.spend(len(self._missing[0]))
            return self._missing.popleft()
        if self._pace and not self._pace.open(now):
            return []
        while self._ranges and not self._old and len(self._gaps) < READ_GAPS:
            after, upto = self._ranges.popleft()
            before = len(self._gaps)
            rows, reached = self._read(after, upto)
            self._allowance.spend(len(self._gaps) - before)
            if reached < upto:
                self._ranges.appendleft((reached, upto))
            self._old.extend(by_slot(self._never_sent(rows), self.max_bytes))
            if reached == after:
                break
        message = self._old.popleft() if self._old else []
        self._allowance.spend(len(message))
        if self._pace and message:
            self._pace.sent(message[-1].seq, len(message), now)
        return message

    def gaps(self, limit: int) -> list[Gap]:
        """Return up to ``limit`` gaps that lie between the rows that were read since the last call."""
        return [self._gaps.popleft() for _ in range(min(limit, len(self._gaps)))]

    def gaps_behind(self, limit: int) -> list[Gap]:
        """Return the first gaps among what was read and the broker has not taken: they were rows, or never were."""
        return self.unheard(self._outbox.gaps(limit, after=self._taken.upto, upto=self._upto), limit)

    def again(self, now: float) -> bool:
        """Have rows that no receipt covers sent again when that is due; tell whether it was.

        While old rows go that never went, they bring the receipts on; when they wait for receipts themselves, what
        the broker took and lost may be all that they wait for. Where there are many gaps, the piece ends early: the
        next begins where the receipts are.
        """
        old_rows_go = (self._ranges or self._old) and not (self._pace and self._pace.is_full)
        if self._missing or old_rows_go or len(self._gaps) >= READ_GAPS:
            return False
        due = self._resend.next_piece(now)
        if due is None:
            return False
        after, upto = due
        while after < upto and len(self._gaps) < READ_GAPS:
            before = after
            rows, after = self._read(before, upto)
            rows = self._not_received(rows)
            self._missing.extend(by_slot(rows, self.max_bytes))
            self.resent += len(rows)
            if after == before:
                break
        return True

    def acknowledged(self, numbers: Iterable[tuple[int, int]], now: float) -> None:
        """Note ranges of numbers (both ends included) that the broker took."""
        for first, last in numbers:
            self._taken.add(first, last)
        self._resend.acknowledged(self._taken.upto, now)

    def receipt(self, received: Reach, now: float, *, heard: bool = False) -> None:
        """Note what the receipts of this epoch say together: it is not sent again; see `Resend.receipt`."""
        self._received = received
        self._taken.add(1, min(received.upto, self._given_before))
        self._resend.receipt(received.upto, now, heard=heard)
        if self._pace:
            self._pace.receipt(received.upto, now)

    def unheard(self, gaps: list[Gap], limit: int) -> list[Gap]:
        """Return what no historian has of gaps; in more than ``limit`` pieces it is not worth the trouble."""
        pieces = [
            Gap(first, last, gap.reason) for gap in gaps for first, last in self._received.missing(gap.first, gap.last)
        ]
        if len(pieces) > limit:
            return gaps
        for gap in gaps:
            # What lies between the pieces the broker has had: it is with a historian.
            ends = [(gap.first - 1, gap.first - 1), *self._received.missing(gap.first, gap.last), (gap.last + 1, 0)]
            for (_, before), (after, _) in pairwise(ends):
                if before + 1 < after:
                    self._taken.add(before + 1, after - 1)
        return pieces

    def tick(self, now: float) -> None:
        """Let time pass for what depends on age."""
        self._resend.acknowledged(self._taken.upto, now)

    def next_due(self) -> float | None:
        """Return when the next live message may go; None if nothing waits."""
        return self._batches.next_due()

    def drain(self) -> list[list[Row]]:
        """Return all rows that were read and not handed out, as messages: the file that they came from is gone."""
        self._ranges.clear()
        held = [*self._missing, *self._old, *by_slot(self._batches.drain(), self.max_bytes)]
        self._missing.clear()
        self._old.clear()
        return held

    def _never_sent(self, rows: list[Row]) -> list[Row]:
        """Leave out what an earlier run sent and some historian has.

        Of this run's own, what a receipt covers before it was sent is another outbox's, a copy of this one: it goes all
        the same, and the historian keeps both contents.
        """
        if not rows or rows[0].seq > self._given_before:
            return rows
        before = sum(row.seq <= self._given_before for row in rows)
        return self._not_received(rows[:before]) + rows[before:]

    def _not_received(self, rows: list[Row]) -> list[Row]:
        """Leave out what some historian has: before a restart it was sent, or there are several of them."""
        if not self._received.bits and (not rows or rows[0].seq > self._received.upto):
            return rows
        left = []
        for row in rows:
            if row.seq in self._received:
                self._taken.add(row.seq)
            else:
                left.append(row)
        return left

    def _leave_behind(self, durable: int) -> None:
        if self._ranges and self._ranges[-1][1] == self._upto:
            self._ranges[-1] = (self._ranges[-1][0], durable)
        else:
            self._ranges.append((self._upto, durable))
        self._upto = durable

    def _read(self, after: int, upto: int) -> tuple[list[Row], int]:
        """Return the next rows up to a number, and up to where all was read: ``after`` if that failed."""
        failures = self._outbox.read_failures
        rows = self._outbox.read(after, READ_ROWS)
        reached = rows[-1].seq if rows and rows[-1].seq < upto else upto
        rows = [row for row in rows if row.seq <= upto]
        # After the rows: one that has to go in between is in both then, and never in neither.
        gaps = self._outbox.gaps(READ_GAPS, after=after, upto=reached)
        if len(gaps) == READ_GAPS:
            reached = min(reached, gaps[-1].last)
            rows = [row for row in rows if row.seq <= reached]
        if self._outbox.epoch != self.epoch:
            # A damaged file was replaced meanwhile; these numbers are of another epoch.
            return [], upto
        if self._outbox.read_failures != failures:
            return [], after  # what cannot be read now is there all the same
        self._gaps.extend(self.unheard(gaps, READ_GAPS))
        return rows, reached
