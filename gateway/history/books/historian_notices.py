"""What a historian tells of itself: an audit with a chain of its own, and notices that stand for a while.

Both lie in the table ``records`` of its history, under a gateway that no site can have (`ITSELF`), so that
``rehab-gateway audit`` reads and checks them like any other. What stands goes to the gateways with their receipts, and
from there to the pages.
"""

from __future__ import annotations

import logging
import secrets
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.model.records import Record, body, sum_of
from gateway.model.row import Chain

log = logging.getLogger(__name__)

ITSELF = "_historian"
"""In no configuration: an id there has no underscore."""
STANDS_S = 86_400.0
"""A notice of something that happened in an instant stands so long after the last time: somebody looks once a day."""
AGAIN_S = 3_600.0
"""What is raised again is written again so often at most: a restart has to know that it lasts."""
MOST_ACTIVE = 64
"""Notices that may stand at a time, of all gateways; one more says that there were too many."""
TOO_MANY = "historian-many"
CORRECTION_REFUSED = "correction-refused"
MAX_TEXT = 300
MICRO = 1_000_000

Key = tuple[str, str, str]
"""Code, gateway, and what else it is about."""


@dataclass(frozen=True, slots=True)
class HistorianNotice:
    """A notice of the historian.

    Attributes:
        code: Which kind; the rules of ``gateway.status.notice_rules`` know it.
        text: What is wrong, in one sentence without a full stop.
        gateway: Whom it is about; empty for all.
        about: What else it is about, where one code may stand several times.
        since_us: When it was raised, UTC microseconds.
        last_us: When it was raised the last time.
        count: How often.
    """

    code: str
    text: str
    gateway: str
    about: str
    since_us: int
    last_us: int
    count: int = 1

    @property
    def key(self) -> Key:
        """What is raised again is the same notice."""
        return self.code, self.gateway, self.about


class HistorianRecords:
    """The historian's audit and notices.

    Every method is part of its owner's transaction; when that fails, the owner makes a new one of these, which reads
    again what is in the file.

    Args:
        db: The history.
        now: Wall clock, seconds.
    """

    def __init__(self, db: sqlite3.Connection, now: Callable[[], float]) -> None:
        self._db = db
        self._now = now
        self._active: dict[Key, HistorianNotice] = {}
        self._written_us: dict[Key, int] = {}
        own = db.execute("SELECT id, received FROM epochs WHERE gateway = ?", (ITSELF,)).fetchone()
        self._epoch: int
        self._seq: int
        self._epoch, self._seq = own or (0, 0)
        self._chain = self._last_of_chain()
        self._read_active()

    def audit(self, what: str, **fields: Any) -> None:
        """Append an entry: texts, numbers, lists of texts; ids and pseudonyms only."""
        self._append(Record("audit", what, self._now_us(), fields))

    def raise_notice(self, code: str, text: str, *, gateway: str = "", about: str = "") -> bool:
        """Have a notice stand from now on, and for a day; return whether it did not stand already."""
        key = (code, gateway, about)
        now_us = self._now_us()
        known = self._active.get(key)
        if known is None and len(self._active) >= MOST_ACTIVE and code != TOO_MANY:
            return self.raise_notice(TOO_MANY, "The historian has more to tell than can be shown: see its audit")
        if known is None:
            made = HistorianNotice(code, text[:MAX_TEXT], gateway, about, now_us, now_us)
        else:
            made = HistorianNotice(code, text[:MAX_TEXT], gateway, about, known.since_us, now_us, known.count + 1)
        if now_us - self._written_us.get(key, 0) >= AGAIN_S * MICRO:
            self._write(made, "raised")
        self._active[key] = made
        return known is None

    def clear_notice(self, code: str, *, gateway: str = "", about: str = "") -> None:
        """Let a notice go; nothing happens if it does not stand."""
        if (known := self._active.pop((code, gateway, about), None)) is not None:
            self._write(known, "cleared")

    def refuse_correction(self, gateway: str, session: str, why: str) -> None:
        """Tell that the wall times of a session were not mended; it stands until they can be."""
        text = f"Wall times of {gateway} were not mended: {why}"
        if self.raise_notice(CORRECTION_REFUSED, text, gateway=gateway, about=session):
            log.warning("%s: the wall times of session %s were not mended: %s", gateway, session, why)
            self.audit(CORRECTION_REFUSED, gateway=gateway, session=session, why=why)

    def clear_old(self) -> None:
        """Let go what has not been raised for a day."""
        before_us = self._now_us() - round(STANDS_S * MICRO)
        for known in [each for each in self._active.values() if each.last_us < before_us]:
            self.clear_notice(known.code, gateway=known.gateway, about=known.about)

    def active(self, gateway: str) -> list[HistorianNotice]:
        """Return what stands and is about a gateway, or about all; the newest first."""
        found = [each for each in self._active.values() if each.gateway in ("", gateway)]
        return sorted(found, key=lambda each: -each.last_us)

    def _write(self, notice: HistorianNotice, state: str) -> None:
        fields = {"state": state, "text": notice.text, "of": notice.gateway, "about": notice.about,
                  "since_us": notice.since_us, "count": notice.count}  # fmt: skip
        self._written_us[notice.key] = self._now_us()
        if state == "cleared":
            del self._written_us[notice.key]
        self._append(Record("notice", notice.code, self._now_us(), fields))

    def _append(self, record: Record) -> None:
        if not self._epoch:
            made = self._db.execute(
                "INSERT INTO epochs (gateway, epoch) VALUES (?, ?)", (ITSELF, secrets.token_hex(8))
            )  # fmt: skip
            self._epoch = int(made.lastrowid or 0)
        made_body, self._chain = body(record, self._chain)
        self._seq += 1
        self._db.execute(
            "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?)",
            (self._epoch, self._seq, record.kind, record.what, record.time_us, made_body.decode()),
        )
        self._db.execute("UPDATE epochs SET received = ?, copied = ? WHERE id = ?", (self._seq, self._seq, self._epoch))

    def _last_of_chain(self) -> Chain:
        """Return how far the chain has come: where the last entry was deleted as old, another begins."""
        last = self._db.execute(
            "SELECT body FROM records WHERE epoch = ? AND kind = 'audit' ORDER BY seq DESC LIMIT 1", (self._epoch,)
        ).fetchone()
        if last is None:
            return Chain()
        try:
            n = orjson.loads(last[0]).get("n", 0)
        except (orjson.JSONDecodeError, AttributeError):
            n = 0  # it rotted on the disk: the audit says where
        return Chain(n if type(n) is int else 0, sum_of(last[0].encode()))

    def _read_active(self) -> None:
        """Take up what stood when the last process ended."""
        since_us = self._now_us() - round(STANDS_S * MICRO)
        found = self._db.execute(
            "SELECT what, time_us, body FROM records WHERE epoch = ? AND kind = 'notice' AND time_us >= ? ORDER BY seq",
            (self._epoch, since_us),
        )
        for code, time_us, text in found:
            try:
                fields = orjson.loads(text)
                made = HistorianNotice(
                    code, fields["text"], fields["of"], fields["about"], fields["since_us"], time_us, fields["count"]
                )
            except (orjson.JSONDecodeError, KeyError, TypeError):
                continue
            if fields["state"] == "raised":
                self._active[made.key] = made
                self._written_us[made.key] = time_us
            else:
                self._active.pop(made.key, None)

    def _now_us(self) -> int:
        return round(self._now() * MICRO)
