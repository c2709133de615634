"""From the broker to the history, and on to the remote store; then the receipt that lets the outbox forget.

A message is acknowledged to the broker after the commit that holds it. A receipt is published after that commit and,
with a remote store, after the store has taken it and kept it for a while. What cannot be understood is counted and set
apart; nothing stops.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
import signal
import sqlite3
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from paho.mqtt.subscribeoptions import SubscribeOptions

from config.settings import Settings
from gateway.broker.certificates import broker_for
from gateway.broker.link import Incoming, Limits, Link, backoff_s
from gateway.delivery.receipts import HEARTBEAT_S
from gateway.historian.copying import Copier
from gateway.historian.fair_queue import MOST_GATEWAYS, FairQueue, Waiting
from gateway.historian.parked import Parked, epoch_in, numbers_in
from gateway.historian.store import LineWriter, RemoteStore
from gateway.history.history import HistoryError, Stored, is_corrupt
from gateway.history.importing import bring_over
from gateway.history.opening import open_history
from gateway.machine.file_lock import HeldError
from gateway.machine.plain_text import printable
from gateway.model.wall_correction import SLOT as CLOCK
from gateway.outbox.file import FileError
from gateway.upkeep.believed_time import BelievedTime
from gateway.upkeep.upkeep import Upkeep
from gateway.wire.message_limits import MAX_ENTRIES, PACKET_BYTES
from gateway.wire.payload import (
    PARKED,
    Message,
    PayloadError,
    Rejected,
    decode_gaps,
    decode_measurements,
    decode_records,
)
from gateway.wire.receipt import MOST_NOTICES, HistorianNotice, Receipt
from gateway.wire.receipt_key import ReceiptKeyError, receipt_key
from gateway.wire.topics import Topics

log = logging.getLogger(__name__)

GATEWAY = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
"""As the configuration has it: what stands in a topic comes from whoever published."""
RECEIVE_MAXIMUM = 500
"""Messages that the broker may send before we have stored them."""
QUEUE_MAX = 4 * RECEIVE_MAXIMUM
"""Messages in memory: those of an ended connection come again, so they need not be kept."""
BATCH_COST = 2 * 2**20
"""What one transaction takes on, in the measure of `fair_queue`: two thousand measurements, 0.1 to 0.2 s."""
BATCH_MOST = 200
"""Messages of one transaction."""
REPAIR_S = 5.0
"""Least time between two answers to receipts of one gateway that are not ours: two historians under one name would
answer each other for ever."""
OWN_KEPT = 32
"""Receipts of ours that are known when they come back; no more than `RECEIPTS_UNDER_WAY` are on their way."""
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
STORE_REFUSES = "store-refuses"
"""Code of the notice that the remote store takes nothing."""
IDLE_S = 1.0
RETENTION_WAITS = "retention-waits"
SUBJECT_ERASED = "subject-erased"
"""Codes of notices."""
STOP_S = 1.0
"""After so long a stop waits no more for what is under way: it leaves no trace, and comes again."""


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
    refused: dict[str, int] = field(default_factory=dict)
    """What was left out since it was more than one gateway's part, by kind; its outbox has it still."""


class Historian:
    """Store the measurements of every gateway of a site.

    Args:
        settings: Broker, database, remote store.
        now: Wall clock, seconds, for the retention.
        rng: Source of jitter.
        stop: Set it while this is being made, and it ends soon with HistoryError: an older file stays as it is.

    Raises:
        HeldError: Another process writes the database.
        HistoryAccessError: It cannot be written.
        HistoryError: The database is a history of another version, or another kind of database.
        ReceiptKeyError: The key of the receipts cannot be used.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        now: Callable[[], float] = time.time,
        rng: random.Random | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        self.path = database(settings)
        self._topics = Topics(settings.site.site, "+")
        self._rng = rng or random.Random()
        self._bad: Counter[str] = Counter()
        self._errors: Counter[str] = Counter()
        self._last_error = ""
        self._messages = self._stored = self._left_out = 0
        self._wake = threading.Condition()
        self._foreign: dict[str, bytes] = {}  # receipts that are not ours, by gateway
        self._own: dict[str, deque[bytes]] = {}
        self._repaired_at: dict[str, float] = {}
        self._dirty: set[tuple[str, str]] = set()
        self._connection: int | None = None
        self._receipts_sent = self._receipts_taken = 0
        self._stop = stop or threading.Event()
        self._fresh = threading.Event()  # something for the remote store
        store = settings.historian.store
        self._id, group = settings.historian.id, settings.historian.share
        self._sharing = group is not None
        self._receipt_s = SHARED_RECEIPT_S if self._sharing else RECEIPT_S
        self._receipts_at = 0.0
        self._history, self._lock = open_history(
            self.path, gateway=settings.site.gateway, copying=store is not None, sharing=self._sharing, now=now,
            believed_most_s=settings.historian.believed_clock_most_s, stopping=self._stop.is_set,
        )  # fmt: skip
        try:
            self._key = receipt_key(settings)
        except ReceiptKeyError:
            self._history.close()
            self._lock.release()
            raise
        self._queue = FairQueue(self._acknowledge, [name for name, _ in self._history.epochs()])
        self._parked = Parked(self.path)
        self._upkeep = Upkeep(
            self._history,
            keep_days=settings.historian.keep_days,
            share=settings.historian.retention_share / 100,
            clock=BelievedTime(now=now),
            tell=self._tell,
            clear_topics=self._clear_topics,
        )
        self._remote: RemoteStore | None = None
        self._store_trouble: str | None = None  # unknown: a notice may stand from before this start
        self._copier: Copier | None = None
        self._threads = [
            threading.Thread(target=self._keep, name="historian", daemon=True),
            threading.Thread(target=self._upkeep.run, name="historian-upkeep", daemon=True),
        ]
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
                # Our own receipts, to see whether somebody else sends them.
                (self._receipt_topic(self._topics), SubscribeOptions(qos=1, noLocal=True)),
            ],
            session_s=SHARED_SESSION_S if group else SESSION_S,
            receive_maximum=RECEIVE_MAXIMUM,
            largest_packet=PACKET_BYTES,
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
        """Store what has arrived, say so, disconnect; what takes long is broken off."""
        self._stop.set()
        self._fresh.set()
        self._upkeep.stop()
        if self._remote is not None:
            self._remote.stop()
        with self._wake:
            self._wake.notify_all()
        ended = self._join()
        # A share of what comes would wait for us with the broker, and the others have time for it.
        self._link.stop(forget=self._sharing)
        if not ended:
            return  # somebody holds the file, or a store does not answer: the end of the process ends that
        if self._remote is not None:
            self._remote.close()
        self._history.close()
        self._parked.close()
        self._lock.release()

    def _join(self) -> bool:
        """Wait a moment for the threads, and end what they do in the history; return whether they have ended."""
        deadline = time.monotonic() + STOP_S
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        if any(thread.is_alive() for thread in self._threads):
            self._history.interrupt()
        for thread in self._threads:
            thread.join(STOP_S / 4)
        return not any(thread.is_alive() for thread in self._threads)

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
            dict(self._queue.refused + self._history.refused),
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
        parts = message.topic.split("/")
        with self._wake:
            if len(parts) > 4 and parts[4] == "stored":
                self._link.acknowledge(message)
                if len(self._foreign) < MOST_GATEWAYS and message.payload not in self._own.get(parts[3], ()):
                    self._foreign[parts[3]] = message.payload
            elif len(parts) < 5 or not GATEWAY.fullmatch(parts[3]):
                self._link.acknowledge(message)
                self._count_bad("no gateway's topic", message.topic)
            elif reason := self._queue.put(parts[3], message):
                if self._queue.refused[reason] == 1:
                    log.warning("messages of %s are left out: %s (further ones are only counted)", parts[3], reason)
            elif len(self._queue) in (1, BATCH_ENOUGH):
                self._wake.notify_all()

    def _acknowledge(self, message: Incoming) -> None:
        """Have the broker send more of others: what came before is in line here, or in an outbox."""
        self._link.acknowledge(message, all_before=True)

    # The thread that stores.

    def _keep(self) -> None:
        alive_at = 0.0
        while True:
            if not self._may_write():
                if self._stop.wait(IDLE_S):
                    return
                continue
            batch = self._collect()
            try:
                if batch:
                    self._store_or_ask_again(batch)
                self._look_at_foreign()
                if time.monotonic() >= alive_at:
                    alive_at = time.monotonic() + HEARTBEAT_S
                    self._history.clear_old_notices()
                    self._tell_left_out()
                    self._say_again()
                self._tell_of_store()
                self._publish_receipts()
            except FileError as error:
                if self._stop.is_set():
                    return  # broken off: nothing was acknowledged
                self._trouble(error)
            except Exception as error:  # the supervisor of this thread: one bad turn must not be the last
                self._note("historian", error)
                log.exception("a turn of the historian failed")
            if self._stop.is_set() and not self._queue:
                return

    def _tell_of_store(self) -> None:
        """Raise a notice for as long as the remote store takes nothing, with what can be done about it."""
        trouble = "" if self._remote is None else self._remote.trouble
        if trouble == self._store_trouble:
            return
        if trouble:
            self._history.raise_notice(STORE_REFUSES, f"The time-series store takes nothing: {trouble}")
        else:
            self._history.clear_notice(STORE_REFUSES)
        self._store_trouble = trouble

    def _may_write(self) -> bool:
        """Whether the history is still ours; what comes waits with the broker and the outboxes while it is not."""
        try:
            self._lock.renew()
        except (HeldError, OSError) as error:
            self._note("history", error)
            return False
        return True

    def _collect(self) -> list[Waiting]:
        """Wait for messages and return those of one transaction; empty after a while without any."""
        with self._wake:
            if not self._queue and not self._stop.is_set():
                self._wake.wait(self._receipt_s if self._dirty else IDLE_S)
            deadline = time.monotonic() + BATCH_S
            while 0 < len(self._queue) < BATCH_ENOUGH and not self._stop.is_set():
                left_s = deadline - time.monotonic()
                if left_s <= 0 or not self._wake.wait(left_s):
                    break
            return self._queue.take(BATCH_COST, BATCH_MOST)

    def _store_or_ask_again(self, batch: list[Waiting]) -> None:
        """Store messages; where that fails, have the broker send them again: nothing later is acknowledged before."""
        try:
            self._store(batch)
        except BaseException:
            self._link.drop("messages could not be stored")
            raise

    def _store(self, batch: list[Waiting]) -> None:
        """Store messages, acknowledge them, and have the receipts follow."""
        line = iter(batch)
        for group in self._parked.groups([waiting.message for waiting in batch]):
            touched: set[tuple[str, str]] = set()
            chosen = self._parked.begin(*group)
            if len(chosen) < len(group):
                kept = {id(message) for message in chosen}
                for message in group:
                    if id(message) not in kept:
                        self._set_apart(message)
            if chosen and not self._stored_all(chosen, touched):
                return
            self._messages += len(group)
            for waiting in islice(line, len(group)):
                if not waiting.acknowledged:
                    self._link.acknowledge(waiting.message)
            with self._wake:
                self._dirty.update(touched)
            self._fresh.set()

    def _stored_all(self, messages: list[Incoming], touched: set[tuple[str, str]]) -> bool:
        """Store messages in one transaction, however long that takes; False if we are to stop before.

        A message that fails by itself, and not because of the file, is looked for and set apart.
        """
        attempt = 0
        while True:
            try:
                self._stored += self._history.store(self._decoded(messages, touched, count=attempt == 0))
            except (sqlite3.Error, UnicodeDecodeError) as error:
                # A full disk, say. Nothing is acknowledged, the broker and the outboxes keep it.
                self._parked.done()
                if self._stop.is_set():
                    return False
                self._trouble(error)
                if self._stop.wait(backoff_s(attempt, self._rng)):
                    return False
                attempt += 1
            except Exception as error:  # a defect, or no memory: one message must not hold up the others
                self._parked.done()
                if len(messages) > 1:
                    log.warning("storing %d messages failed, now one by one: %r", len(messages), error)
                    return all(self._stored_all([message], touched) for message in messages)
                self._note("historian", error)
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
                self._count_bad(error.kind, raw.topic)
            return None
        for rejected in message.rejected if count else ():
            self._count_bad(rejected.reason, raw.topic)
        return message

    def _set_apart(self, raw: Incoming) -> None:
        """Keep a message that cannot be stored in a file, and its numbers as rejected: nothing waits for it."""
        name = self._parked.park(raw)
        gateway = raw.topic.split("/")[3]
        self._count_bad(PARKED, raw.topic)
        self._history.raise_notice(
            "message-parked", f"A message of {gateway} is set apart: it {PARKED}", gateway=gateway
        )
        self._history.tell("parked", gateway=gateway, file=name, bytes=len(raw.payload))
        numbers = [Rejected(seq, PARKED, name.encode()) for seq in numbers_in(raw.payload, MAX_ENTRIES)]
        if numbers and (epoch := epoch_in(raw.payload)):
            self._history.store([Message(gateway, epoch, rejected=numbers)])
            with self._wake:
                self._dirty.add((gateway, epoch))

    def _tell_left_out(self) -> None:
        """Have people told of what was more than one gateway's part."""
        if (n := sum(self._queue.refused.values())) > self._left_out:
            self._left_out = n
            text = "More messages came than can be stored in time: what was left out waits in its outbox"
            self._history.raise_notice("historian-quota", text, about="messages")

    def _look_at_foreign(self) -> None:
        """Publish the right receipt where somebody else has published one under our name."""
        with self._wake:
            foreign, self._foreign = self._foreign, {}
            latest = dict(self._history.epochs()) if foreign else {}
        for gateway, payload in foreign.items():
            if gateway not in latest:
                continue
            topic = self._receipt_topic(Topics(self._topics.site, gateway))
            if self._is_forged(topic, gateway, payload):
                self._errors["forged receipt"] += 1
                text = f"Somebody else publishes receipts for {gateway}: the right one was published again"
                self._history.raise_notice("receipt-forged", text, gateway=gateway)
            if time.monotonic() - self._repaired_at.get(gateway, -REPAIR_S) < REPAIR_S:
                with self._wake:
                    self._foreign.setdefault(gateway, payload)
                continue
            self._repaired_at[gateway] = time.monotonic()
            with self._wake:
                self._dirty.add((gateway, latest[gateway]))

    def _is_forged(self, topic: str, gateway: str, payload: bytes) -> bool:
        """Whether we cannot have said this, in this life or an earlier one."""
        if self._key is not None:
            return not self._key.is_signed(topic, payload)
        try:
            receipt = Receipt.decode(payload)
        except ValueError:
            return True
        ours = self._history.receipt(gateway, receipt.epoch)
        return receipt.stored > ours.stored or receipt.received > ours.received

    def _receipt_topic(self, topics: Topics) -> str:
        return topics.stored_by(self._id or "") if self._sharing else topics.stored

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
            topic = self._receipt_topic(Topics(self._topics.site, gateway))
            payload = self._receipt(gateway, epoch, topic)
            with self._wake:
                self._own.setdefault(gateway, deque(maxlen=OWN_KEPT)).append(payload)
            self._receipts_sent += 1
            if self._link.publish(connection, topic, payload, qos=1, retain=True) is None:
                with self._wake:
                    self._dirty.add((gateway, epoch))

    def _receipt(self, gateway: str, epoch: str, topic: str) -> bytes:
        told = [
            HistorianNotice(printable(each.code), printable(each.about), printable(each.text))
            for each in self._history.notices(gateway)[:MOST_NOTICES]
        ]
        payload = replace(self._history.receipt(gateway, epoch), notices=tuple(told)).encode()
        return payload if self._key is None else self._key.sign(topic, payload)

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
                    self._copier.offer_again()
                    self._fresh.wait(IDLE_S)
            except FileError as error:
                if not self._stop.is_set():
                    self._trouble(error)
                self._stop.wait(IDLE_S)
            except Exception as error:  # the supervisor of this thread
                if self._stop.is_set():
                    return  # a stop does not wait for a store that does not answer
                self._note("historian", error)
                log.exception("copying to the remote store failed")
                self._stop.wait(IDLE_S)

    def _refuse(self, row: Stored, reason: str) -> None:
        self._history.reject(row, reason, f"{row.measurement!r}".encode())

    def _count_bad(self, kind: str, topic: str) -> None:
        self._bad[kind] += 1
        if self._bad[kind] == 1:
            log.warning(
                "a message on %s cannot be understood: %s (further ones are only counted)", printable(topic), kind
            )

    def _verify(self) -> None:
        try:
            self._history.verify()
            if not self._sharing:
                bring_over(self._history, self._stop.is_set)
        except FileError as error:
            self._note("history", error)

    def _trouble(self, error: Exception) -> None:
        """A full disk passes; a damaged history does not, and another takes its place."""
        self._note("history", error)
        if is_corrupt(error):
            self._history.replace(error)

    def _tell(self, what: str, **fields: object) -> None:
        """Tell in the audit, and by a notice, what was done to the history."""
        self._history.tell(what, **fields)
        if what == "retention-withheld":
            self._history.raise_notice(RETENTION_WAITS, f"Old measurements are kept: {fields['reason']}")
        elif what == "retention-held":
            waiting = f"{fields['rows']} measurements became old at once: only a share of the history goes in a day"
            self._history.raise_notice(RETENTION_WAITS, waiting)
        elif what in ("retention", "retention-confirmed"):
            self._history.clear_notice(RETENTION_WAITS)
        elif what == "erased-refused":
            refused = "Measurements of a subject that was erased still come: they are refused"
            self._history.raise_notice(SUBJECT_ERASED, refused)

    def _clear_topics(self, slots: list[str]) -> list[str]:
        """Empty the retained curves of some slots of every gateway: whoever is there now has new ones in a minute."""
        connection = self._connection
        for gateway in dict(self._history.epochs()):
            for slot in slots:
                topic = Topics(self._topics.site, gateway).cycles(slot)
                if connection is None or self._link.publish(connection, topic, b"", qos=1, retain=True) is None:
                    return ["retained curves (topics cycles/<slot>): the broker was not connected; erase again"]
        return []

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
    ended, stop = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def end() -> None:
        stop.set()
        ended.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    try:
        historian = await asyncio.to_thread(Historian, settings, stop=stop)
    except HistoryError as error:
        if not stop.is_set():
            raise
        log.warning("%s", error)
        return
    historian.start()
    try:
        await ended.wait()
    finally:
        await asyncio.to_thread(historian.stop)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
