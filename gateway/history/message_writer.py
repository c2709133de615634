"""Storing what messages bring: measurements, words about a wall clock, records, gaps, and what cannot be understood."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import replace

from gateway.history import rotten_rows, row_sums
from gateway.history.books import conflicts
from gateway.history.books.epoch_book import Epoch
from gateway.history.books.erased_subjects import ERASED
from gateway.history.books.quota import QUOTAS
from gateway.history.file import explained
from gateway.history.memory import Books
from gateway.history.schema import QUALITY
from gateway.model import wall_correction
from gateway.model.entered import is_entered, is_reported
from gateway.model.measurement import Measurement
from gateway.model.records import purged
from gateway.wire.payload import PARKED, DecodedRecord, Message, Rejected

log = logging.getLogger(__name__)

TOLD_TWICE = "entered once, told twice"
"""Why a number is none of a measurement; nothing is missing."""
MOST_RANGES = 250_000
"""Numbers beyond the first hole, in separate pieces, that are remembered of one epoch: twenty megabytes."""


class MessageWriter:
    """Writes messages into a history, within one transaction; ``finish`` ends what is done once for all of them.

    Args:
        db: The history, with a transaction under way.
        books: What is known of it.
        removed: Up to which number, by gateway and epoch, all was in a file that was removed under us.
    """

    def __init__(self, db: sqlite3.Connection, books: Books, removed: Mapping[tuple[str, str], int]) -> None:
        self._db = db
        self._removed = removed
        self._rules, self._refusals = books.rules, books.refusals
        self._epochs, self._series, self._gaps = books.epochs, books.series, books.gaps
        self._clocks, self._ward, self._erased = books.clocks, books.ward, books.erased
        self._repeats, self._quotas, self._own_records = books.repeats, books.quotas, books.own_records
        self._summed = row_sums.has_sums(db)
        self._series.begin()
        self._epochs.forget_if_many()

    def write(self, message: Message) -> int:
        """Write what a message brings; return how many of its measurements were new."""
        gateway, name = message.gateway, message.epoch
        if not self._epochs.is_known(gateway, name) and not self._quotas.use(gateway, "epochs"):
            return 0
        epoch = self._epochs.get(gateway, name)
        new = self._write_measurements(message, epoch)
        for record in message.records:
            self._write_record(epoch, record)
        for bad in message.rejected:
            self._reject(epoch, bad)
        for gap in message.gaps:
            self._gaps.add(epoch, gap.first, gap.last, gap.reason)
        self._explain_released(epoch, message.released)
        self._db.execute("UPDATE epochs SET received = ? WHERE id = ?", (epoch.received.upto, epoch.id))
        return new

    def finish(self) -> None:
        """Mend what the corrections of these messages are about, each session once; tell what was left out."""
        self._apply_corrections()
        self._report_beyond_quota()

    def _explain_released(self, epoch: Epoch, released: int) -> None:
        """Have every number that the outbox let go and that is not here explained: it will not come again."""
        if self._rules.sharing:
            # It is stored by one of us, or is a gap that one of us was told.
            epoch.received.add(1, released)
            epoch.copied.add(1, released)
        # It went with a receipt of another history, or by configuration.
        removed = self._removed.get((epoch.gateway, epoch.name), 0)
        for hole in epoch.received.missing(released):
            for first, last, why in explained(*hole, removed):
                self._gaps.add(epoch, first, last, why)
                epoch.lost += last - first + 1

    def _write_measurements(self, message: Message, epoch: Epoch) -> int:
        """Write the measurements of a message; return how many were new."""
        new: list[Measurement] = []
        for seq, measurement in self._not_erased(epoch, message) if self._erased else message.measurements:
            if epoch.received.ranges >= MOST_RANGES and seq > epoch.received.upto + 1:
                continue  # it comes again when what is missing before it has come
            if measurement.slot == wall_correction.SLOT:
                self._write_correction(epoch, seq, measurement)
            elif (written := self._write_measurement(epoch, seq, measurement)) is not None:
                new.append(written)
        self._series.count_in_sessions(new)
        return len(new)

    def _not_erased(self, epoch: Epoch, message: Message) -> Iterator[tuple[int, Measurement]]:
        for seq, measurement in message.measurements:
            if self._erased.holds(measurement.subject):
                self._refuse_erased(epoch, seq)
            else:
                yield seq, measurement

    def _refuse_erased(self, epoch: Epoch, seq: int) -> None:
        """Take the number of what an erased subject's outbox still held, and nothing else of it."""
        if seq not in epoch.received:
            self._gaps.add(epoch, seq, seq, ERASED)
            self._refusals.of_erased += 1

    def _write_correction(self, epoch: Epoch, seq: int, m: Measurement) -> None:
        """Take a word about the gateway's wall clock, which is no measurement of a patient."""
        correction = wall_correction.read(m) if m.metric == wall_correction.METRIC else None
        if correction is None:
            self._reject(epoch, Rejected(seq, "no correction of a wall clock", f"{m!r}".encode()))
            return
        fields = {"session": m.session, "by_us": correction.by_us, "believed": correction.believed}
        content = conflicts.as_json("clocks", fields)
        before = seq in epoch.received
        if before and self._repeats.is_again(epoch, seq, "clocks", content):
            return
        if not self._quotas.use(epoch.gateway, "corrections"):
            return
        noted_us = int(self._rules.now() * 1e6)
        of, at = (epoch.gateway, m.session), (epoch.id, seq)
        if refused := self._clocks.note(of, at, correction, noted_us=noted_us):
            self._reject(epoch, Rejected(seq, refused, content))
            self._own_records.refuse_correction(epoch.gateway, m.session, refused)
            return
        if before:
            self._gaps.mend(epoch, seq)
        epoch.add_local(seq)

    def _write_measurement(self, epoch: Epoch, seq: int, m: Measurement) -> Measurement | None:
        """Write a measurement with the times that its wall clock is known to have meant; None if it was there."""
        gateway = epoch.gateway
        before = seq in epoch.received
        if before and self._repeats.is_again(epoch, seq, "measurements", m):
            return None
        moved_us, clock = self._clocks.place((gateway, m.session), (epoch.id, seq), m.end_us)
        made = replace(m, start_us=m.start_us + moved_us, end_us=m.end_us + moved_us) if moved_us else m
        whose = self._ward.place(
            gateway, m.session, m.subject, made.start_us, made.end_us, reported=is_reported(m.algorithm)
        )
        if whose is None or (self._erased and self._erased.holds(whose[1])):
            self._refuse_erased(epoch, seq)
            return None
        series = made_series = self._series.number_of(gateway, m)
        if whose != (m.session, m.subject):
            made = replace(made, session=whose[0], subject=whose[1])
            series = self._series.number_of(gateway, made)
        if series is None or made_series is None or self._told_twice(epoch, seq, series, made):
            return None
        if before:
            self._make_room(epoch, seq)
        row_sums.insert_row(
            self._db,
            (epoch.id, seq, series, made.start_us, made.end_us, m.value, m.sync_ms, m.n, m.n_rejected,
             QUALITY.index(m.quality), moved_us, clock, None if series == made_series else made_series, m.reason),
            summed=self._summed,
        )  # fmt: skip
        if before:
            self._gaps.mend(epoch, seq)
        epoch.received.add(seq)
        return made

    def _make_room(self, epoch: Epoch, seq: int) -> None:
        """Take out what rotted under a number that comes again: nothing else can be there still."""
        there = self._db.execute("SELECT id FROM measurements WHERE epoch = ? AND seq = ?", (epoch.id, seq)).fetchall()
        rotten_rows.take_out(self._db, [number for (number,) in there])

    def _told_twice(self, epoch: Epoch, seq: int, series: int, m: Measurement) -> bool:
        """Whether what somebody entered is there: the gateway tells it once more after a start, under another number.

        The number is taken, so that nobody asks for it again.
        """
        if not is_entered(m.algorithm):
            return False
        same = "SELECT 1 FROM measurements WHERE series = ? AND start_us = ? AND end_us = ?"
        if self._db.execute(same, (series, m.start_us, m.end_us)).fetchone() is None:
            return False
        if seq not in epoch.received:
            self._gaps.add(epoch, seq, seq, TOLD_TWICE)
        return True

    def _write_record(self, epoch: Epoch, record: DecodedRecord) -> None:
        full = record
        if self._erased and self._erased.mentioned(record.body):
            record = replace(record, body=purged(record.body))
        before = record.seq in epoch.received
        if before and self._repeats.is_again(epoch, record.seq, "records", record.body):
            return
        if not self._quotas.use(epoch.gateway, "records"):
            return
        self._db.execute(
            "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?)",
            (epoch.id, record.seq, record.kind, record.what, record.time_us, record.body.decode()),
        )
        if record.kind == "ward":
            self._ward.keep_word(epoch.gateway, (epoch.id, record.seq), full)
        if before:
            self._gaps.mend(epoch, record.seq)
        epoch.add_local(record.seq)

    def _reject(self, epoch: Epoch, bad: Rejected) -> None:
        """Keep what could not be understood, with the reason; nothing waits for it."""
        if self._erased and self._erased.mentioned(bad.payload):
            self._refuse_erased(epoch, bad.seq)
            return
        if bad.seq in epoch.received and bad.reason == PARKED:
            return  # it was stored before it ended the process
        if bad.seq in epoch.received and self._repeats.is_again(epoch, bad.seq, "rejected", bad.payload):
            return
        if not self._quotas.use(epoch.gateway, "rejected bytes", len(bad.payload) + len(bad.reason)):
            return
        if not self._quotas.use(epoch.gateway, "rejected"):
            return
        self._db.execute(
            "INSERT OR IGNORE INTO rejected VALUES (?, ?, ?, ?)", (epoch.id, bad.seq, bad.reason, bad.payload)
        )
        epoch.add_local(bad.seq)

    def _apply_corrections(self) -> None:
        """Mend what this transaction's corrections are about; tell what was beyond the bounds."""
        clocks, own = self._clocks, self._own_records
        mended = clocks.noted()
        refused, right = clocks.apply_noted()
        for gateway, session in refused:
            own.refuse_correction(gateway, session, wall_correction.TOO_FAR)
        for gateway, session in right:
            own.clear_notice("correction-refused", gateway=gateway, about=session)
        for gateway, rows in self._ward.apply_noted(mended).items():
            self._series.forget()
            log.warning("%s: a session was corrected: %d measurements are another person's or session's", gateway, rows)
            own.audit("session-corrected", gateway=gateway, rows=rows)

    def _report_beyond_quota(self) -> None:
        """Put what was used of the quotas into the transaction, and tell what was beyond them."""
        self._quotas.write()
        for (gateway, kind), n in self._quotas.refused.items():
            self._refusals.beyond_quota[kind] += n
            text = f"{gateway} sends too many {QUOTAS[kind].words}: what is beyond waits in its outbox"
            if self._own_records.raise_notice("historian-quota", text, gateway=gateway, about=kind):
                log.warning("%s (further ones are only counted)", text)
                self._own_records.audit("quota", gateway=gateway, of=kind)
        self._quotas.refused.clear()
