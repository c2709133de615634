"""From the history to the remote store, with a memory of what the store may still lose.

A store that answered 204 has a measurement in its memory; killed within seconds, it has not. So what was written counts
as copied only after a hold-back, and only if no write failed meanwhile and the store, where it can be asked, still has
it. The durable cursor (the table ``copying`` of the history) stands at what is confirmed; after any doubt everything
beyond it is written again, which changes nothing in a store that has it.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.historian.store import RemoteStore
from gateway.history.copy_cursor import CopyCursor
from gateway.history.schema import Stored

log = logging.getLogger(__name__)

COPY_ROWS = 1_000
"""Measurements of one write to the remote store, some 300 kB."""
ROUNDS = 3
"""Times that a measurement which the store has answered for, and does not have, is written before it is set apart."""
GONE = "not there after the hold-back"
NOT_THERE = "the store answered that it took it and does not have it"

Refuse = Callable[[Stored, str], None]
Touched = set[tuple[str, str]]


@dataclass(slots=True)
class _Written:
    """Everything up to ``upto`` (an id of the history), beyond the batch before it, was answered for at ``at``."""

    upto: int
    at: float
    rounds: int = 1
    found: bool = False


@dataclass(frozen=True, slots=True)
class _Offered:
    """What had been set apart, up to the id ``upto``, and was taken at ``at``, after so many failures of the store."""

    rows: list[Stored]
    upto: int
    at: float
    failures: int


class Copier:
    """Write what the history holds to the remote store, and confirm it after the hold-back. For one thread.

    Args:
        history: The cursor over what is to be copied.
        remote: Where they go.
        refuse: Called with a measurement that the store does not keep, and why.
        hold_back_s: How long the store may take to put on disk what it has answered for; 0 takes its word.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        history: CopyCursor,
        remote: RemoteStore,
        refuse: Refuse,
        *,
        hold_back_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.copied = 0
        self.errors: Counter[str] = Counter()
        self._history = history
        self._remote = remote
        self._refuse = refuse
        self._hold_back_s = hold_back_s
        self._clock = clock
        self._confirmed = history.copied_upto()
        self._written: deque[_Written] = deque()
        self._doubt = 0
        self._found: Stored | None = None  # what the store was last found to have
        self._replaced = history.replaced
        self._good: Stored | None = None
        self._offer_after: int | None = 0
        self._offered: _Offered | None = None

    def write(self) -> bool:
        """Write the next measurements; return whether there were any."""
        if self._is_another_file():
            self._replaced = self._history.replaced
            self._confirmed = self._history.copied_upto()
            self._written.clear()
            self._offered = self._offer_after = None
        if not self._delete_left_behind():
            return False
        after = self._written[-1].upto if self._written else self._confirmed
        rows = self._history.not_copied(COPY_ROWS, after=after)
        if not rows or not self._remote.write(rows):
            return False
        self._written.append(_Written(rows[-1].id, self._clock()))
        self._good = next((row for row in reversed(rows) if row.id not in self._remote.refused), self._good)
        if self._remote.failures != self._doubt:
            # It may have been killed, and come back without what it had answered for.
            self._doubt = self._remote.failures
            self._again()
        return True

    def _delete_left_behind(self) -> bool:
        """Have the store delete what a correction has moved, before it gets what stays; return whether it has."""
        for left in self._history.left_behind():
            if not self._remote.delete(*left):
                return False
            self._history.is_deleted(left)
        return True

    def confirm(self) -> Touched:
        """Move the cursor over what has been held back long enough; return whose receipts may have moved."""
        self._look_for_written()
        touched: Touched = set()
        while self._written and self._written[0].found:
            batch = self._written[0]
            rows = self._rows_of(batch, after=self._confirmed)
            if self._is_another_file():
                break  # these have not been written
            self._written.popleft()
            if rows:
                touched |= self._history.mark_copied(rows)
            self.copied += len(rows)
            self._confirmed = batch.upto
        return touched

    def _look_for_written(self) -> None:
        """Look in the store for every batch whose hold-back is over, and write again what is gone.

        For each, not for the first alone: a store that was killed and came back between two writes has lost some of
        many batches, and one hold-back after the other would keep receipts back for hours.
        """
        after, gone_before = self._confirmed, self.errors[GONE]
        for batch in tuple(self._written):
            if not batch.found and self._clock() - batch.at >= self._hold_back_s:
                rows = self._rows_of(batch, after=after)
                if self._is_another_file():
                    break
                if rows and (found := self._is_there(batch, rows)) is None:
                    break
                batch.found = not rows or bool(found)
            after = batch.upto
        if gone := self.errors[GONE] - gone_before:
            log.warning("the store does not have %d measurements that it had answered for", gone)

    def _is_another_file(self) -> bool:
        """Whether another history has taken the place of the one that was written from: its numbers begin again."""
        return self._history.replaced != self._replaced

    def _rows_of(self, batch: _Written, *, after: int) -> list[Stored]:
        return self._history.not_copied(COPY_ROWS, after=after, upto=batch.upto)

    def offer_again(self) -> None:
        """Offer the store, once after each start, what it has refused before: the address may have been mended.

        One that it has just taken goes with them, so that a refusal is known to be theirs.
        """
        if self._offered is not None:
            self._confirm_offered(self._offered)
        elif self._offer_after is not None and self._good is not None:
            rows = self._history.set_apart(COPY_ROWS, after=self._offer_after)
            failures = self._remote.failures
            if not rows:
                self._offer_after = None
            elif self._remote.write([self._good, *rows]):
                taken = [row for row in rows if row.id not in self._remote.refused]
                self._offered = _Offered(taken, rows[-1].id, self._clock(), failures)

    def _confirm_offered(self, offered: _Offered) -> None:
        """Believe after the hold-back that the store has what it took; in doubt it is offered again."""
        if self._clock() - offered.at < self._hold_back_s:
            return
        self._offered = None
        if self._remote.failures != offered.failures:
            return
        self._offer_after = offered.upto
        if offered.rows:
            self._history.clear_refused(offered.rows)
            log.warning("the store has taken %d measurements that it had refused before", len(offered.rows))

    def _is_there(self, batch: _Written, rows: Sequence[Stored]) -> bool | None:
        """Ask the store for a batch; what is missing is written again, or given up after some rounds.

        Returns None if the store does not answer.
        """
        if not self._hold_back_s:
            return True
        gone = self._remote.missing(rows)
        if gone is None:
            return None
        if len(gone) < len(rows):
            missing = {row.id for row in gone}
            self._found = next(row for row in rows if row.id not in missing)
            self._remote.keeps(something=True)
        if not gone:
            return True
        self.errors[GONE] += len(gone)
        if batch.rounds >= ROUNDS:
            return self._give_up(batch, gone, alone=len(gone) == len(rows))
        if not self._remote.write(gone):
            return None
        batch.rounds += 1
        batch.at = self._clock()
        return False

    def _give_up(self, batch: _Written, gone: Sequence[Stored], *, alone: bool) -> bool:
        """Set apart what a store never has; without a sign that it is one, begin the rounds of a batch again."""
        if alone and not self._still_has_what_was_found():
            self._remote.keeps(something=False)
            batch.rounds, batch.at = 1, self._clock()
            return False
        for row in gone:
            self._refuse(row, NOT_THERE)
        return True

    def _still_has_what_was_found(self) -> bool:
        """Whether it is a store, and the same: one that is something else by now has not what was found in it."""
        return self._found is not None and self._remote.missing([self._found]) == []

    def _again(self) -> None:
        newest = self._written.pop()
        if self._written:
            log.warning("the store failed: writing again what it took in the last %.0f s", self._hold_back_s)
            self.errors["written again"] += 1
            self._written.clear()
        else:
            self._written.append(newest)
