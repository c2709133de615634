"""Whether an audit is whole: each record holds the sum of the one before it, and numbers run without a hole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from gateway.history.schema import StoredRecord
from gateway.machine.set_aside import CORRUPT
from gateway.model.records import PURGED, canonical, sum_of

State = Literal["begin", "ok", "gap", "broken"]


@dataclass(frozen=True, slots=True)
class Link:
    """A record of the audit, and how it follows the one before.

    Attributes:
        record: The record.
        n: Its number in the chain; 0 if it has none.
        fields: What it says.
        state: ``begin`` of a chain, ``ok``, ``gap``: records before it are known not to have come, ``broken``.
        text: What is to be said of it; empty if it simply follows.
    """

    record: StoredRecord
    n: int
    fields: dict[str, Any]
    state: State
    text: str


@dataclass(frozen=True, slots=True)
class KnownGap:
    """Numbers of an epoch that never came, and why."""

    epoch: str
    first: int
    last: int
    reason: str


@dataclass(frozen=True, slots=True)
class GivenTwice:
    """A number that an outbox gave to two contents: it had forgotten that it had given it.

    Attributes:
        epoch: Of the outbox.
        seq: The number.
        body: The record of the audit that lies beside what is stored under the number; empty if it is something else.
    """

    epoch: str
    seq: int
    body: str


class Books:
    """What a history knows of the numbers of one gateway that are no records of the audit.

    Args:
        gaps: Numbers that never came.
        unexplained: Counts the numbers of an epoch between two that are nothing at all: no row, no record, no gap.
        twice: Numbers that came with two contents.
    """

    def __init__(
        self,
        gaps: Sequence[KnownGap],
        unexplained: Callable[[str, int, int], int] = lambda *_: 0,
        twice: Sequence[GivenTwice] = (),
    ) -> None:
        self._gaps = gaps
        self._unexplained = unexplained
        self._twice = twice

    def given_twice(self, epoch: str) -> list[GivenTwice]:
        """Return the numbers of an epoch that came with two contents."""
        return [number for number in self._twice if number.epoch == epoch]

    def why_missing(self, epoch: str, after: int, before: int, n: int) -> str:
        """Return why ``n`` records between two numbers are missing; empty if they cannot all be in told gaps."""
        within = [gap for gap in self._gaps if gap.epoch == epoch and gap.last > after and gap.first < before]
        known = sum(min(gap.last, before - 1) - max(gap.first, after + 1) + 1 for gap in within)
        if known < n or self._unexplained(epoch, after, before - 1):
            return ""
        return ", ".join(sorted({gap.reason for gap in within}))


def check(records: Sequence[StoredRecord], books: Books) -> list[Link]:
    """Follow the chain of one gateway: its audit, in the order of its outboxes and their numbers."""
    links: list[Link] = []
    for record in records:
        fields = _fields(record)
        n = fields.get("n", 0)
        before = links[-1] if links else None
        if not fields or type(n) is not int or canonical(fields) != record.body.encode():
            link = Link(record, 0, fields, "broken", "this record is not as a gateway writes it")
        elif before is None or before.record.epoch != record.epoch:
            link = _begin(record, n, fields, links, books)
        else:
            link = _follow(record, n, fields, links, books)
        links.append(link)
    return links


def _begin(record: StoredRecord, n: int, fields: dict[str, Any], links: Sequence[Link], books: Books) -> Link:
    """Judge the first record of an outbox: its chain begins there, or goes on where that of an earlier life stood."""
    before = links[-1] if links else None
    if n == 1:
        if fields.get("previous"):
            return Link(record, n, fields, "broken", "the first record names one before it")
        new = "a new outbox, and with it a new chain: the end of the last is in the old file" if before else ""
        return Link(record, n, fields, "begin", new)
    if reason := books.why_missing(record.epoch, 0, record.seq, n - 1):
        return Link(record, n, fields, "gap", f"{_records(1, n - 1)} not there: {reason}")
    if before is None:
        return Link(
            record, n, fields, "begin", f"{_records(1, n - 1)} not here: older than the history keeps, or taken out"
        )
    return _continued(record, n, fields, links)


def _continued(record: StoredRecord, n: int, fields: dict[str, Any], links: Sequence[Link]) -> Link:
    """Judge the first record of an outbox that begins no chain: after an older image of itself it goes on with one."""
    if not _follows_one_of(links, n, fields):
        return Link(record, n, fields, "broken", f"{_records(1, n - 1)} missing without a told gap")
    if n == links[-1].n + 1:
        return Link(record, n, fields, "ok", "a new outbox, which goes on with the chain of the last")
    image = f"a new outbox, which goes on from record {n - 1}: the last one was an older image of itself"
    return Link(record, n, fields, "gap", image)


def _follow(record: StoredRecord, n: int, fields: dict[str, Any], links: Sequence[Link], books: Books) -> Link:
    """Judge a record of an outbox whose chain has begun."""
    link = _next(record, n, fields, links, books)
    if link.state == "broken" and _forked(record, n, fields, links, books.given_twice(record.epoch)):
        forked = f"the outbox gave numbers twice, as after a damaged log: record {n} follows another record {n - 1}"
        return Link(record, n, fields, "gap", forked)
    return link


def _forked(
    record: StoredRecord, n: int, fields: dict[str, Any], links: Sequence[Link], twice: Sequence[GivenTwice]
) -> bool:
    """Whether numbers of the outbox were given twice, and the record goes on from one of either time.

    Its predecessor stands further up, or lies beside what is stored under its number.
    """
    if not twice:
        return False
    beside = any(fields.get("previous") == sum_of(number.body.encode()) for number in twice if number.body)
    return beside or _goes_on(record, n, fields, links)


def _next(record: StoredRecord, n: int, fields: dict[str, Any], links: Sequence[Link], books: Books) -> Link:
    """Judge a record by the one that stands before it, as in an outbox that forgets nothing."""
    before = links[-1]
    if n <= before.n:
        if CORRUPT in books.why_missing(record.epoch, before.record.seq, record.seq, 1) and _goes_on(
            record, n, fields, links
        ):
            forgotten = f"{_records(n, before.n)} lost in the outbox, whose log was damaged: the chain goes on before"
            return Link(record, n, fields, "gap", forgotten)
        return Link(record, n, fields, "broken", f"record {n} stands after record {before.n}")
    if n > before.n + 1:
        missing = _records(before.n + 1, n - 1)
        if reason := books.why_missing(record.epoch, before.record.seq, record.seq, n - before.n - 1):
            return Link(record, n, fields, "gap", f"{missing} not there: {reason}")
        return Link(record, n, fields, "broken", f"{missing} missing without a told gap")
    if fields.get("previous") != sum_of(before.record.body.encode()):
        return Link(record, n, fields, "broken", f"record {before.n} is not the one that record {n} followed")
    erased = f"what record {n} said was erased; its sum stays" if PURGED in fields else ""
    return Link(record, n, fields, "ok", erased)


def _goes_on(record: StoredRecord, n: int, fields: dict[str, Any], links: Sequence[Link]) -> bool:
    """Whether a record follows one of the same outbox that is not the last."""
    same = [link for link in links if link.record.epoch == record.epoch]
    return _follows_one_of(same, n, fields) or (n == 1 and not fields["previous"])


def _follows_one_of(links: Sequence[Link], n: int, fields: dict[str, Any]) -> bool:
    """Whether a record holds the sum of one of these, which has the number before its own."""
    earlier = [link.record for link in links if link.n == n - 1]
    return any(fields.get("previous") == sum_of(one.body.encode()) for one in earlier)


def _fields(record: StoredRecord) -> dict[str, Any]:
    try:
        fields = orjson.loads(record.body)
    except orjson.JSONDecodeError:
        return {}
    return fields if isinstance(fields, dict) else {}


def _records(first: int, last: int) -> str:
    return f"record {first} is" if first == last else f"records {first} to {last} are"
