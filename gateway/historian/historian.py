"""From the broker to the history, and on to the remote store; then the receipt that lets the outbox forget.

A message is acknowledged to the broker after the commit that holds it. A receipt is published after that commit and,
with a remote store, after the store has taken it and kept it for a while. What cannot be understood is counted and set
apart; nothing stops.
"""

from __future__ import annotations

import asyncio
import logging
import random
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from paho.mqtt.subscribeoptions import SubscribeOptions

from config.settings import Settings
from gateway.broker.certificates import broker_for
from gateway.broker.link import Incoming, Limits, Link, backoff_s
from gateway.delivery.receipts import HEARTBEAT_S
from gateway.historian.copying import Copier
from gateway.historian.store import LineWriter, RemoteStore
from gateway.history.history import History, Stored, is_corrupt
from gateway.model.wall_correction import SLOT as CLOCK
from gateway.outbox.file import FileError
from gateway.wire.payload import Message, PayloadError, decode_gaps, decode_measurements, decode_records
from gateway.wire.topics import Topics

log = logging.getLogger(__name__)

RECEIVE_MAXIMUM = 500
"""Messages that the broker may send before we have stored them."""
QUEUE_MAX = 4 * RECEIVE_MAXIMUM
"""Messages in memory: those of an ended connection come again, so they need not be kept."""
BATCH_S = 0.2
"""Longest wait of a message for company in its transaction."""
BATCH_ENOUGH = 16
"""Messages that are worth a transaction at once: brokers hold back after 20 without an acknowledgement."""
RECEIPT_S = 0.2
"""Least time between two rounds of receipts."""
RECEIPTS_UNDER_WAY = 20
"""The least Receive Maximum that is common; a later receipt says all that an earlier one did."""
SESSION_S = 3600
"""The broker queues for us so long. Beyond that the outboxes still have everything, on disk."""
SHARED_RECEIPT_S = 0.4
"""The same of a historian that shares, whose receipts are kilobytes; a gateway that sends a lost queue again takes a
second without one for silence."""
SHARED_SESSION_S = 30
"""The broker gives a part of the messages to each of us, whether or not it is there: not for longer than the gateways
take to send again what they have heard nothing of."""
RETENTION_S = 3600.0
IDLE_S = 1.0


@dataclass(frozen=True, slots=True)
class HistorianState:
    """What has been done since the start; ``bad`` by kind of what could not be understood."""

    connected: bool = False
    messages: int = 0
    stored: int = 0
    copied: int = 0
    bad: dict[str, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    last_error: str = ""


class Historian:
    """Store the measurements of every gateway of a site.

    Args:
        settings: Broker, database, remote store.
        now: Wall clock, seconds, for the retention.
        rng: Source of jitter.

    Raises:
        HistoryError: The database is a history of another version, or another kind of database.
        sqlite3.Error: It cannot be opened.
    """

    def __init__(
        self, settings: Settings, *, now: Callable[[], float] = time.time, rng: random.Random | None = None
    ) -> None:
        self.path = database(settings)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._topics = Topics(settings.site.site, "+")
        self._keep_us = settings.historian.keep_days * 86_400 * 1_000_000
        self._now = now
        self._rng = rng or random.Random()
        self._bad: Counter[str] = Counter()
        self._errors: Counter[str] = Counter()
        self._last_error = ""
        self._messages = self._stored = 0
        self._wake = threading.Condition()
        self._queue: deque[Incoming] = deque()
        self._dirty: set[tuple[str, str]] = set()
        self._connection: int | None = None
        self._receipts_sent = self._receipts_taken = 0
        self._stop = threading.Event()
        self._fresh = threading.Event()  # something for the remote store
        store = settings.historian.store
        self._id, group = settings.historian.id, settings.historian.share
        self._sharing = group is not None
        self._receipt_s = SHARED_RECEIPT_S if self._sharing else RECEIPT_S
        self._receipts_at = 0.0
        self._history = History(self.path, copying=store is not None, sharing=self._sharing, now=now)
        self._remote: RemoteStore | None = None
        self._copier: Copier | None = None
        self._threads = [threading.Thread(target=self._keep, name="historian", daemon=True)]
        # Not awaited at the end: it only reads.
        self._verifier = threading.Thread(target=self._verify, name="historian-verify", daemon=True)
        if store is not None:
            self._remote = RemoteStore(LineWriter(store), settings.site.site, self._refuse, rng=self._rng)
            self._copier = Copier(self._history, self._remote, self._refuse, hold_back_s=store.hold_back_s)
            self._threads.append(threading.Thread(target=self._copy, name="historian-store", daemon=True))
        self._link = Link(
            broker_for(settings, "historian"),
            client_id=f"rehab-historian-{settings.site.site}-{self._id or settings.site.gateway}",
            handler=self,
            subscriptions=[
                # What is said of a wall clock is for all, whoever got the measurements.
                *([(self._topics.measurements(CLOCK), SubscribeOptions(qos=1))] if group else []),
                *(
                    (f"$share/{group}/{topic}" if group else topic, SubscribeOptions(qos=1))
                    for topic in (self._topics.measurements(), self._topics.gaps)
                ),
                # Notices and the audit are for all, too: a chain is whole in each history or in none.
                (self._topics.records, SubscribeOptions(qos=1)),
            ],
            session_s=SHARED_SESSION_S if group else SESSION_S,
            receive_maximum=RECEIVE_MAXIMUM,
            manual_ack=True,
            rng=self._rng,
        )

    def start(self) -> None:
        """Begin to connect and to store."""
        for thread in self._threads:
            thread.start()
        self._verifier.start()
        self._link.start()

    def stop(self) -> None:
        """Store what has arrived, say so, disconnect."""
        self._stop.set()
        self._fresh.set()
        if self._remote is not None:
            self._remote.stop()
        with self._wake:
            self._wake.notify_all()
        for thread in self._threads:
            thread.join()
        # A share of what comes would wait for us with the broker, and the others have time for it.
        self._link.stop(forget=self._sharing)
        if self._remote is not None:
            self._remote.close()
        self._history.close()

    def state(self) -> HistorianState:
        """Return what has been done since the start."""
        errors = {**self._errors, **self._link.errors}
        last_error = self._last_error or ("" if self._link.connected else self._link.last_error)
        if self._remote is not None:
            errors |= self._remote.errors
            errors |= self._copier.errors if self._copier else {}
            last_error = self._remote.last_error or last_error
        return HistorianState(
            self._connection is not None,
            self._messages,
            self._stored,
            self._copier.copied if self._copier else 0,
            dict(self._bad),
            errors,
            last_error,
        )

    # What the link tells; on its threads.

    def connected(self, connection: int, limits: Limits) -> None:
        """Say again what is stored: the broker may have lost the retained receipts."""
        with self._wake:
            log.info("connected, session %s", "kept" if limits.session_present else "new")
            if len(self._queue) > QUEUE_MAX:
                self._queue.clear()
            self._connection = connection
            self._receipts_sent = self._receipts_taken = 0
        self._say_again()

    def lost(self, connection: int, reason: str) -> None:
        """The link connects again by itself; the broker sends again what was not acknowledged."""
        with self._wake:
            if self._connection == connection:
                self._connection = None
        log.info("connection lost: %s", reason)

    def acknowledged(self, connection: int, number: int, code: int) -> None:
        """A receipt was taken."""
        del number, code
        if connection == self._connection:
            self._receipts_taken += 1

    def arrived(self, message: Incoming) -> None:
        """Put it in line for the thread that stores."""
        with self._wake:
            self._queue.append(message)
            if len(self._queue) in (1, BATCH_ENOUGH):
                self._wake.notify_all()

    # The thread that stores.

    def _keep(self) -> None:
        retention_at = alive_at = 0.0
        while True:
            batch = self._collect()
            try:
                if batch:
                    self._store(batch)
                if time.monotonic() >= alive_at:
                    alive_at = time.monotonic() + HEARTBEAT_S
                    self._say_again()
                self._publish_receipts()
                if time.monotonic() >= retention_at:
                    gone = self._history.forget(int(self._now() * 1e6) - self._keep_us)
                    retention_at = time.monotonic() + (0.0 if gone else RETENTION_S)
            except FileError as error:
                self._trouble(error)
            except Exception as error:  # the supervisor of this thread: one bad turn must not be the last
                self._note("historian", error)
                log.exception("a turn of the historian failed")
            if self._stop.is_set() and not self._queue:
                return

    def _collect(self) -> list[Incoming]:
        """Wait for messages and return those of one transaction; empty after a while without any."""
        with self._wake:
            if not self._queue and not self._stop.is_set():
                self._wake.wait(self._receipt_s if self._dirty else IDLE_S)
            deadline = time.monotonic() + BATCH_S
            while 0 < len(self._queue) < BATCH_ENOUGH and not self._stop.is_set():
                left_s = deadline - time.monotonic()
                if left_s <= 0 or not self._wake.wait(left_s):
                    break
            batch = list(self._queue)
            self._queue.clear()
            return batch

    def _store(self, batch: list[Incoming]) -> None:
        messages = [message for raw in batch if (message := self._decode(raw)) is not None]
        attempt = 0
        while True:
            try:
                self._stored += self._history.store(messages)
            except FileError as error:
                # A full disk, say. Nothing is acknowledged, the broker and the outboxes keep it.
                self._trouble(error)
                if self._stop.wait(backoff_s(attempt, self._rng)):
                    return
                attempt += 1
            else:
                break
        self._messages += len(batch)
        for raw in batch:
            self._link.acknowledge(raw)
        with self._wake:
            self._dirty.update((message.gateway, message.epoch) for message in messages)
        self._fresh.set()

    def _decode(self, raw: Incoming) -> Message | None:
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
            self._count_bad(error.kind, raw.topic)
            return None
        for rejected in message.rejected:
            self._count_bad(rejected.reason, raw.topic)
        return message

    def _say_again(self) -> None:
        """Have the receipt of every gateway published, whether or not it says something new."""
        latest = dict(self._history.epochs())
        with self._wake:
            self._dirty.update(latest.items())
            self._wake.notify_all()

    def _publish_receipts(self) -> None:
        with self._wake:
            connection = self._connection
            if connection is None or self._receipts_sent - self._receipts_taken >= RECEIPTS_UNDER_WAY:
                return
            if self._sharing and time.monotonic() < self._receipts_at and not self._stop.is_set():
                return
            self._receipts_at = time.monotonic() + self._receipt_s
            dirty, self._dirty = self._dirty, set()
        for gateway, epoch in dirty:
            payload = self._history.receipt(gateway, epoch).encode()
            topics = Topics(self._topics.site, gateway)
            topic = topics.stored_by(self._id or "") if self._sharing else topics.stored
            self._receipts_sent += 1
            if self._link.publish(connection, topic, payload, qos=1, retain=True) is None:
                with self._wake:
                    self._dirty.add((gateway, epoch))

    # The thread that copies to the remote store.

    def _copy(self) -> None:
        assert self._copier is not None
        while not self._stop.is_set():
            self._fresh.clear()
            try:
                self._history.let_go()
                more = self._copier.write()
                if touched := self._copier.confirm():
                    with self._wake:
                        self._dirty.update(touched)
                        self._wake.notify_all()
                if not more:
                    self._fresh.wait(IDLE_S)
            except FileError as error:
                self._trouble(error)
                self._stop.wait(IDLE_S)
            except Exception as error:  # the supervisor of this thread
                self._note("historian", error)
                log.exception("copying to the remote store failed")
                self._stop.wait(IDLE_S)

    def _refuse(self, row: Stored, reason: str) -> None:
        self._history.reject(row, reason, f"{row.measurement!r}".encode())

    def _count_bad(self, kind: str, topic: str) -> None:
        self._bad[kind] += 1
        if self._bad[kind] == 1:
            log.warning("a message on %s cannot be understood: %s (further ones are only counted)", topic, kind)

    def _verify(self) -> None:
        try:
            self._history.verify()
        except FileError as error:
            self._note("history", error)

    def _trouble(self, error: Exception) -> None:
        """A full disk passes; a damaged history does not, and another takes its place."""
        self._note("history", error)
        if is_corrupt(error):
            self._history.replace(error)

    def _note(self, kind: str, error: Exception) -> None:
        self._errors[kind] += 1
        if self._last_error != str(error):
            self._last_error = str(error)
            log.error("%s: %s", kind, error)


def database(settings: Settings) -> Path:
    """Return where the history of a site lies."""
    return settings.historian.database or settings.site.data / "history.db"


async def run_historian(settings: Settings) -> None:
    """Run a historian until SIGTERM or SIGINT, and end it in good order."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    historian = await asyncio.to_thread(Historian, settings)
    historian.start()
    try:
        await ended.wait()
    finally:
        await asyncio.to_thread(historian.stop)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
