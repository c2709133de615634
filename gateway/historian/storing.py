"""The thread that stores: messages in one transaction after the other, then the acknowledgements, then the receipts."""

from __future__ import annotations

import logging
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice

from gateway.broker.link import Incoming, backoff_s
from gateway.delivery.receipts import HEARTBEAT_S
from gateway.historian.fair_queue import Waiting
from gateway.historian.mailbox import Mailbox
from gateway.historian.parked import Parked, epoch_in, numbers_in
from gateway.historian.receipt_sender import ReceiptSender
from gateway.historian.troubles import Troubles
from gateway.history.errors import is_corrupt
from gateway.history.history import History
from gateway.machine.file_lock import FileLock, HeldError
from gateway.outbox.errors import FileError
from gateway.wire.message_limits import MAX_ENTRIES
from gateway.wire.payload import (
    PARKED,
    Message,
    PayloadError,
    Rejected,
    decode_gaps,
    decode_measurements,
    decode_records,
)

log = logging.getLogger(__name__)

STORE_REFUSES = "store-refuses"
"""Code of the notice that the remote store takes nothing."""
IDLE_S = 1.0


class Storing:
    """Stores what is in the mailbox, and has receipts follow.

    A message that fails by itself, and not because of the file, is set apart: nothing waits for it.

    Args:
        history: Where to.
        lock: The right to write it.
        mailbox: Where from.
        receipts: Told what was stored.
        parked: Where messages are kept that cannot be stored.
        troubles: Where what goes wrong is counted.
        rng: Source of jitter.
        stop: Ends the thread when all in the mailbox is stored.
        fresh: Set when there is something new for the remote store.
        store_trouble: Says why the remote store takes nothing; empty if it does, or there is none.

    Attributes:
        messages: Messages stored since the start.
        stored: Rows that were new.
    """

    def __init__(
        self, history: History, lock: FileLock, mailbox: Mailbox, *, receipts: ReceiptSender, parked: Parked,
        troubles: Troubles, rng: random.Random, stop: threading.Event, fresh: threading.Event,
        store_trouble: Callable[[], str],
    ) -> None:  # fmt: skip
        self._history, self._lock = history, lock
        self._mailbox, self._receipts = mailbox, receipts
        self._parked = parked
        self._troubles = troubles
        self._rng = rng
        self._stop, self._fresh = stop, fresh
        self._store_trouble = store_trouble
        self._noticed: str | None = None  # unknown: a notice may stand from before this start
        self._left_out = 0
        self.messages = self.stored = 0

    def run(self) -> None:
        """Store until told to stop and nothing is left in line."""
        heartbeat_at = 0.0
        while True:
            if not self._may_write():
                if self._stop.wait(IDLE_S):
                    return
                continue
            batch = self._mailbox.collect(self._receipts.wait_s or IDLE_S)
            try:
                if batch:
                    self._store_or_ask_again(batch)
                self._receipts.repair()
                if time.monotonic() >= heartbeat_at:
                    heartbeat_at = time.monotonic() + HEARTBEAT_S
                    with self._history.own_records() as own:
                        own.clear_old()
                    self._notice_left_out()
                    self._receipts.mark_all()
                self._notice_store()
                self._receipts.publish()
            except FileError as error:
                if self._stop.is_set():
                    return  # broken off: nothing was acknowledged
                self.on_file_error(error)
            except Exception as error:  # the supervisor of this thread: one bad turn must not be the last
                self._troubles.note("historian", error)
                log.exception("a turn of the historian failed")
            if self._stop.is_set() and not self._mailbox.queue:
                return

    def on_file_error(self, error: Exception) -> None:
        """A full disk passes; a damaged history does not, and another takes its place."""
        self._troubles.note("history", error)
        if is_corrupt(error):
            self._history.database.replace(error)

    def _notice_store(self) -> None:
        """Raise a notice for as long as the remote store takes nothing, with what can be done about it."""
        trouble = self._store_trouble()
        if trouble == self._noticed:
            return
        with self._history.own_records() as own:
            if trouble:
                own.raise_notice(STORE_REFUSES, f"The time-series store takes nothing: {trouble}")
            else:
                own.clear_notice(STORE_REFUSES)
        self._noticed = trouble

    def _notice_left_out(self) -> None:
        """Have people told of what was more than one gateway's part."""
        if (n := sum(self._mailbox.queue.refused.values())) > self._left_out:
            self._left_out = n
            text = "More messages came than can be stored in time: what was left out waits in its outbox"
            with self._history.own_records() as own:
                own.raise_notice("historian-quota", text, about="messages")

    def _may_write(self) -> bool:
        """Whether the history is still ours; what comes waits with the broker and the outboxes while it is not."""
        try:
            self._lock.renew()
        except (HeldError, OSError) as error:
            self._troubles.note("history", error)
            return False
        return True

    def _store_or_ask_again(self, batch: list[Waiting]) -> None:
        """Store messages; where that fails, have the broker send them again: nothing later is acknowledged before."""
        try:
            self._store(batch)
        except BaseException:
            self._mailbox.link.drop("messages could not be stored")
            raise

    def _store(self, batch: list[Waiting]) -> None:
        """Store messages, acknowledge them, and have the receipts follow."""
        line = iter(batch)
        for group in self._parked.groups([waiting.message for waiting in batch]):
            touched: set[tuple[str, str]] = set()
            chosen = self._choose(group)
            if chosen and not self._stored_all(chosen, touched):
                return
            self.messages += len(group)
            self._mailbox.acknowledge(islice(line, len(group)))
            self._receipts.mark(touched)
            self._fresh.set()

    def _choose(self, group: list[Incoming]) -> list[Incoming]:
        """Return what is to be stored of messages; those that have ended the process before are set apart."""
        chosen = self._parked.begin(*group)
        if len(chosen) < len(group):
            kept = {id(message) for message in chosen}
            for message in group:
                if id(message) not in kept:
                    self._set_apart(message)
        return chosen

    def _stored_all(self, messages: list[Incoming], touched: set[tuple[str, str]]) -> bool:
        """Store messages in one transaction, however long that takes; False if we are to stop before.

        A message that fails by itself, and not because of the file, is looked for and set apart.
        """
        attempt = 0
        while True:
            try:
                self.stored += self._history.store(self._decoded(messages, touched, count=attempt == 0))
            except (sqlite3.Error, UnicodeDecodeError, OSError) as error:
                # A full disk, say, or no folder. Nothing is acknowledged, the broker and the outboxes keep it.
                self._parked.done()
                if self._stop.is_set():
                    return False
                self.on_file_error(error)
                if self._stop.wait(backoff_s(attempt, self._rng)):
                    return False
                attempt += 1
            except Exception as error:  # a defect, or no memory: one message must not hold up the others
                self._parked.done()
                if len(messages) > 1:
                    log.warning("storing %d messages failed, now one by one: %r", len(messages), error)
                    return all(self._stored_all([message], touched) for message in messages)
                self._troubles.note("historian", error)
                log.exception("a message is set apart, since storing it failed")
                self._set_apart(messages[0])
                return True
            else:
                self._parked.done()
                return True

    def _decoded(self, messages: list[Incoming], touched: set[tuple[str, str]], *, count: bool) -> Iterator[Message]:
        """Yield what messages say, one after the other: only one of them is in memory as objects."""
        for raw in messages:
            message = self._decode(raw, count=count)
            if message is not None:
                touched.add((message.gateway, message.epoch))
                yield message

    def _decode(self, raw: Incoming, *, count: bool) -> Message | None:
        # rehab/v1/<site>/<gateway>/measurements/<slot>, …/gaps or …/records, as subscribed.
        parts = raw.topic.split("/")
        try:
            if len(parts) == 6:
                message = decode_measurements(parts[3], parts[5], raw.payload)
            elif len(parts) == 5 and parts[4] == "records":
                message = decode_records(parts[3], raw.payload)
            elif len(parts) == 5:
                message = decode_gaps(parts[3], raw.payload)
            else:
                raise PayloadError("unknown topic")  # noqa: TRY301 - counted like every other refusal
        except PayloadError as error:
            if count:
                self._troubles.count_bad(error.kind, raw.topic)
            return None
        for rejected in message.rejected if count else ():
            self._troubles.count_bad(rejected.reason, raw.topic)
        return message

    def _set_apart(self, raw: Incoming) -> None:
        """Keep a message that cannot be stored in a file, and its numbers as rejected: nothing waits for it."""
        name = self._parked.park(raw)
        gateway = raw.topic.split("/")[3]
        self._troubles.count_bad(PARKED, raw.topic)
        with self._history.own_records() as own:
            own.raise_notice("message-parked", f"A message of {gateway} is set apart: it {PARKED}", gateway=gateway)
            own.audit("parked", gateway=gateway, file=name, bytes=len(raw.payload))
        numbers = [Rejected(seq, PARKED, name.encode()) for seq in numbers_in(raw.payload, MAX_ENTRIES)]
        if numbers and (epoch := epoch_in(raw.payload)):
            self._history.store([Message(gateway, epoch, rejected=numbers)])
            self._receipts.mark([(gateway, epoch)])
