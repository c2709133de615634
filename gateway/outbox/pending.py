"""What waits in memory for the next commit: the queue and its condition, and the numbers that its contents get."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from itertools import repeat

from gateway.model.measurement import Measurement
from gateway.model.measurements import METRIC_ID, SLOT, Fields, fields_of, is_event
from gateway.model.records import Record, body
from gateway.model.row import AUDIT, CLASSES, EVENT, METRIC, Chain, Gap, Row
from gateway.model.wall_correction import SLOT as CLOCK
from gateway.outbox.gap_table import DISK_SLOW
from gateway.outbox.group import Group
from gateway.wire.measurement_json import encode_rows

log = logging.getLogger(__name__)

Content = Fields | Record | int
"""What waits for its number: a number of numbers whose contents had to go, too."""

PENDING_MAX = 50_000
"""Rows held in memory while the disk is slow: half a minute of a full ward, about 50 MB. Then the oldest of the lowest
class go."""
PENDING_ROOM = 10
"""One part in so many is made free at once: looking through all of them for each new one would take too long."""
GROUP_MAX = 5_000
"""Rows of one commit, so that one commit stays well below a second on a slow card."""

NOT_ENCODABLE = "not encodable"


class Pending:
    """A queue in two parts: what waits, and the batch that the next commit takes; a commit that fails keeps its batch.

    The methods, but for `group`, are called with the condition held.

    Attributes:
        condition: Guards the queue; whoever waits for something to happen to it, waits here.
    """

    def __init__(self) -> None:
        self.condition = threading.Condition()
        self._due: float | None = None  # monotonic time of the next commit
        self._not_before = 0.0  # monotonic time before which it must not be
        self._queue: deque[tuple[Content, int]] = deque()  # each with when it was made, UTC microseconds
        self._held = self._missing = 0  # rows in the queue, and numbers whose contents had to go
        self._lost: Counter[tuple[str, int]] = Counter()  # the latter by reason and class
        # Taken from the queue, not on disk yet; the outbox's thread only.
        self._batch: list[tuple[Content, int]] = []
        self._batch_held = self._batch_missing = 0
        self._batch_lost: Counter[tuple[str, int]] = Counter()

    def __bool__(self) -> bool:
        return bool(self._queue or self._batch)

    @property
    def queued(self) -> int:
        """Return how much waits behind the batch."""
        return len(self._queue)

    @property
    def held(self) -> int:
        """Return how many rows are in memory."""
        return self._held + self._batch_held

    @property
    def numbers(self) -> int:
        """Return how many numbers what is in memory will take."""
        return self.held + self._missing + self._batch_missing

    def schedule(self, within_s: float) -> None:
        """Have a commit within so many seconds, though not before a pause is over."""
        due = max(time.monotonic() + within_s, self._not_before)
        if self._due is None or due < self._due:
            self._due = due
            self.condition.notify_all()

    def pause(self, wait_s: float) -> None:
        """Have no commit that is scheduled from now on before so many seconds are over."""
        self._not_before = time.monotonic() + wait_s

    def retry_after(self, wait_s: float) -> None:
        """Have the next commit in so many seconds, however soon it was to be."""
        self._due = self._not_before = time.monotonic() + wait_s

    def wait_until_due(self, most_s: float) -> bool:
        """Wait for the time of the next commit, and for no longer than so many seconds; return whether it has come."""
        until = time.monotonic() + most_s
        while (wait_s := (until if self._due is None else min(self._due, until)) - time.monotonic()) > 0:
            self.condition.wait(wait_s)
        if self._due is None or self._due > time.monotonic():
            return False
        self._due = None
        return True

    def append(self, contents: Sequence[Fields | Record], made_us: int) -> None:
        """Queue contents; where that is too much, the oldest of the lowest class go, and their numbers stay."""
        self._queue.extend(zip(contents, repeat(made_us)))
        self._held += len(contents)
        if self._held > PENDING_MAX:
            self._thin_out()

    def _thin_out(self) -> None:
        too_many = max(self._held - PENDING_MAX, PENDING_MAX // PENDING_ROOM)
        for rank in range(len(CLASSES)):
            kept: deque[tuple[Content, int]] = deque()
            for content, made_us in self._queue:
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
            self._queue = kept

    def begin_batch(self) -> None:
        """Set apart what the next commit will hold: what a failed one held comes first, with its numbers."""
        if self._batch:
            return
        n = min(len(self._queue), GROUP_MAX)
        self._batch = [self._queue.popleft() for _ in range(n)]
        missing = [c for c, _ in self._batch if isinstance(c, int)] if self._missing else []
        self._batch_held, self._batch_missing = n - len(missing), sum(missing)
        self._held, self._missing = self._held - self._batch_held, self._missing - self._batch_missing
        self._batch_lost, self._lost = self._lost, Counter()

    def end_batch(self) -> None:
        """Forget the batch: it is on disk."""
        self._batch, self._batch_lost = [], Counter()
        self._batch_held = self._batch_missing = 0

    def group(self, seq: int, chain: Chain) -> Group:
        """Return the batch with its numbers, which follow ``seq``, and how far the audit is after it."""
        rows: list[tuple[Row, int]] = []
        gaps: list[Gap] = []
        lost = self._batch_lost.copy()
        encoded = iter(_encode_all([content for content, _ in self._batch if isinstance(content, tuple)]))
        for content, made_us in self._batch:
            if isinstance(content, int):
                gaps.append(Gap(seq + 1, seq + content, DISK_SLOW))
                seq += content
                continue
            seq += 1
            try:
                if isinstance(content, Record):
                    made, chain = body(content, chain)
                    slot = ""
                else:
                    made, slot = _whole(next(encoded)), content[SLOT]
            except TypeError as error:  # orjson: a value of a type that JSON does not have
                name = content.what if isinstance(content, Record) else content[METRIC_ID]
                log.error("number %d, %s, cannot be encoded: %s", seq, name, error)  # noqa: TRY400
                gaps.append(Gap(seq, seq, NOT_ENCODABLE))
                lost[NOT_ENCODABLE, rank_of(content)] += 1
            else:
                rows.append((Row(seq, slot, rank_of(content), with_number(made, seq)), made_us))
        return Group(rows, gaps, last_seq=seq, lost=lost, chain=chain)


def rank_of(content: Fields | Record) -> int:
    """Return the class of what is to be queued."""
    if isinstance(content, Record):
        return content.rank
    if not is_event(content):
        return METRIC
    return AUDIT if content[SLOT] == CLOCK else EVENT  # what mends the times of all others goes last


def encode(measurement: Measurement, seq: int) -> bytes:
    """Return the JSON of a measurement with its number; raises TypeError for a value that JSON does not have."""
    return with_number(encode_rows([fields_of(measurement)])[0], seq)


def _encode_all(rows: Sequence[Fields]) -> Sequence[bytes | TypeError]:
    """Return the JSON of measurements, and why where there is none."""
    try:
        return encode_rows(rows)
    except TypeError as error:
        return [error] if len(rows) == 1 else [each for row in rows for each in _encode_all([row])]


def _whole(made: bytes | TypeError) -> bytes:
    if isinstance(made, TypeError):
        raise made
    return made


def with_number(made: bytes, seq: int) -> bytes:
    """Return a JSON object with its number before all else."""
    return b'{"seq":%d,%b' % (seq, made[1:])
