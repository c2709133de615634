"""From the broker to the history, and on to the remote store; then the receipt that lets the outbox forget.

A message is acknowledged to the broker after the commit that holds it. A receipt is published after that commit and,
with a remote store, after the store has taken it and kept it for a while. What cannot be understood is counted and set
apart; nothing stops. The parts: the mailbox (`mailbox`), the thread that stores (`storing`), the receipts
(`receipt_sender`), the thread that copies (`copy_thread`), and the upkeep of the history.
"""

from __future__ import annotations

import asyncio
import logging
import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from paho.mqtt.subscribeoptions import SubscribeOptions

from config.settings import Settings
from gateway.broker.certificates import broker_for
from gateway.broker.link import Handler, Link
from gateway.historian.copy_thread import CopyThread
from gateway.historian.copying import Copier
from gateway.historian.mailbox import RECEIVE_MAXIMUM, Mailbox
from gateway.historian.parked import Parked
from gateway.historian.receipt_sender import ReceiptSender, receipt_topic
from gateway.historian.store import RemoteStore, writer_of
from gateway.historian.storing import Storing
from gateway.historian.troubles import Troubles
from gateway.history.errors import HistoryError
from gateway.history.importing import bring_over
from gateway.history.opening import open_history
from gateway.history.schema import Stored
from gateway.model.wall_correction import SLOT as CLOCK
from gateway.outbox.errors import FileError
from gateway.upkeep.believed_time import BelievedTime
from gateway.upkeep.upkeep import Upkeep
from gateway.wire.message_limits import PACKET_BYTES
from gateway.wire.receipt_key import ReceiptKey, ReceiptKeyError, receipt_key
from gateway.wire.topics import Topics

log = logging.getLogger(__name__)

SESSION_S = 3600
"""The broker queues for us so long. Beyond that the outboxes still have everything, on disk."""
SHARED_SESSION_S = 30
"""The broker gives a part of the messages to each of us, whether or not it is there: not for longer than the gateways
take to send again what they have heard nothing of."""
RETENTION_WAITS = "retention-waits"
SET_ASIDE_S = 10.0
"""Between two looks whether a file was set aside."""
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
        self, settings: Settings, *, now: Callable[[], float] = time.time, rng: random.Random | None = None,
        stop: threading.Event | None = None,
    ) -> None:  # fmt: skip
        self.path = settings.history_file
        self._topics = Topics(settings.site.site, "+")
        rng = rng or random.Random()
        self._troubles = Troubles()
        self._stop = stop or threading.Event()
        self._fresh = threading.Event()  # something for the remote store
        store = settings.historian.store
        self._sharing = settings.historian.share is not None
        self._shared_id = (settings.historian.id or "") if self._sharing else None
        self._history, self._lock = open_history(
            self.path, gateway=settings.site.gateway, copying=store is not None, sharing=self._sharing, now=now,
            believed_most_s=settings.historian.believed_clock_most_s, stopping=self._stop.is_set,
        )  # fmt: skip
        key = self._key_or_close(settings)
        self._parked = Parked(self.path)
        self._mailbox = Mailbox(
            lambda handler: link_of(settings, self._topics, self._shared_id, handler, rng),
            [name for name, _ in self._history.epochs()], self._troubles,
            on_connected=self._publish_receipts, stopping=self._stop.is_set,
        )  # fmt: skip
        self._receipts = ReceiptSender(
            self._history, self._mailbox, self._troubles, self._topics, shared_id=self._shared_id, key=key,
            stopping=self._stop.is_set,
        )  # fmt: skip
        self._remote = RemoteStore(writer_of(store), settings.site.site, self._refuse, rng=rng) if store else None
        self._storing = Storing(
            self._history, self._lock, self._mailbox, receipts=self._receipts, parked=self._parked,
            troubles=self._troubles, rng=rng, stop=self._stop, fresh=self._fresh, store_trouble=self._store_trouble,
        )  # fmt: skip
        self._upkeep = self._make_upkeep(settings, now)
        self._copier: Copier | None = None
        if store is not None and self._remote is not None:
            self._copier = Copier(self._history.copies, self._remote, self._refuse, hold_back_s=store.hold_back_s)
        self._threads = self._make_threads()
        # Not awaited at the end: it only reads.
        self._verifier = threading.Thread(target=self._verify, name="historian-verify", daemon=True)

    def _store_trouble(self) -> str:
        return self._remote.trouble if self._remote else ""

    def _make_threads(self) -> list[threading.Thread]:
        runs = {"historian": self._storing.run, "historian-upkeep": self._upkeep.run}
        if self._copier is not None:
            runs["historian-store"] = CopyThread(
                self._history.copies, self._copier, self._receipts, self._troubles, stop=self._stop, fresh=self._fresh,
                on_file_error=self._storing.on_file_error,
            ).run  # fmt: skip
        return [threading.Thread(target=run, name=name, daemon=True) for name, run in runs.items()]

    def _publish_receipts(self) -> None:
        """Publish all receipts: a broker may have lost those that it kept."""
        self._receipts.mark_all()

    def _key_or_close(self, settings: Settings) -> ReceiptKey | None:
        try:
            return receipt_key(settings)
        except ReceiptKeyError:
            self._history.close()
            self._lock.release()
            raise

    def _make_upkeep(self, settings: Settings, now: Callable[[], float]) -> Upkeep:
        return Upkeep(
            self._history.database,
            keep_days=settings.historian.keep_days,
            share=settings.historian.retention_share / 100,
            clock=BelievedTime(now=now),
            on_event=self._record_upkeep,
            clear_topics=self._clear_topics,
        )

    @property
    def mailbox(self) -> Mailbox:
        """Return where messages arrive."""
        return self._mailbox

    def start(self) -> None:
        """Begin to connect and to store."""
        for thread in self._threads:
            thread.start()
        self._verifier.start()
        self._mailbox.link.start()

    def stop(self) -> None:
        """Store what has arrived, say so, disconnect; what takes long is broken off."""
        self._stop.set()
        self._fresh.set()
        self._upkeep.stop()
        if self._remote is not None:
            self._remote.stop()
        with self._mailbox.condition:
            self._mailbox.condition.notify_all()
        ended = self._join()
        # A share of what comes would wait for us with the broker, and the others have time for it.
        self._mailbox.link.stop(forget=self._sharing)
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
            self._history.database.interrupt()
        for thread in self._threads:
            thread.join(STOP_S / 4)
        return not any(thread.is_alive() for thread in self._threads)

    def state(self) -> HistorianState:
        """Return what has been done since the start."""
        link = self._mailbox.link
        errors = {**self._troubles.errors, **link.errors}
        if rotted := self._history.database.rotted:
            errors["rotted rows"] = rotted
        last_error = self._troubles.last_error or ("" if link.connected else link.last_error)
        if self._remote is not None:
            errors |= self._remote.errors
            errors |= self._copier.errors if self._copier else {}
            last_error = self._remote.last_error or last_error
        return HistorianState(
            self._mailbox.is_connected,
            self._storing.messages,
            self._storing.stored,
            self._copier.copied if self._copier else 0,
            dict(self._troubles.bad),
            errors,
            last_error,
            dict(self._mailbox.queue.refused + self._history.database.refusals.beyond_quota),
        )

    def _refuse(self, row: Stored, reason: str) -> None:
        self._history.copies.reject(row, reason, f"{row.measurement!r}".encode())

    def _verify(self) -> None:
        """Read the whole file, and bring over what was set aside: before this start, and whenever a file is."""
        try:
            self._history.database.verify()
        except FileError as error:
            self._troubles.note("history", error)
        replaced = -1
        while not self._sharing:
            try:
                if replaced != self._history.database.replaced:
                    replaced = self._history.database.replaced
                    bring_over(self._history, self._stop.is_set)
            except FileError as error:
                self._troubles.note("history", error)
            if self._stop.wait(SET_ASIDE_S):
                return

    def _record_upkeep(self, what: str, **fields: object) -> None:
        """Record in the audit, and by a notice, what was done to the history."""
        with self._history.own_records() as own:
            own.audit(what, **fields)
            if what == "retention-withheld":
                own.raise_notice(RETENTION_WAITS, f"Old measurements are kept: {fields['reason']}")
            elif what == "retention-held":
                waiting = f"{fields['rows']} measurements became old at once: only a share of the history goes in a day"
                own.raise_notice(RETENTION_WAITS, waiting)
            elif what in ("retention", "retention-confirmed"):
                own.clear_notice(RETENTION_WAITS)
            elif what == "erased-refused":
                refused = "Measurements of a subject that was erased still come: they are refused"
                own.raise_notice(SUBJECT_ERASED, refused)

    def _clear_topics(self, slots: list[str]) -> list[str]:
        """Empty the retained curves of some slots of every gateway: whoever is there now has new ones in a minute."""
        for gateway in dict(self._history.epochs()):
            for slot in slots:
                if not self._mailbox.publish(Topics(self._topics.site, gateway).cycles(slot), b""):
                    return ["retained curves (topics cycles/<slot>): the broker was not connected; erase again"]
        return []


def link_of(settings: Settings, topics: Topics, shared_id: str | None, handler: Handler, rng: random.Random) -> Link:
    """Return the link of a historian: it hears all that the gateways of a site send, or its share of it."""
    group = settings.historian.share
    return Link(
        broker_for(settings, "historian"),
        client_id=f"rehab-historian-{settings.site.site}-{settings.historian.id or settings.site.gateway}",
        handler=handler,
        subscriptions=[
            # What is said of a wall clock is for all, whoever got the measurements.
            *([(topics.measurements(CLOCK), SubscribeOptions(qos=1))] if group else []),
            *(
                (f"$share/{group}/{topic}" if group else topic, SubscribeOptions(qos=1))
                for topic in (topics.measurements(), topics.gaps)
            ),
            # Notices and the audit are for all, too: a chain is whole in each history or in none.
            (topics.records, SubscribeOptions(qos=1)),
            # Our own receipts, to see whether somebody else sends them.
            (receipt_topic(topics, shared_id), SubscribeOptions(qos=1, noLocal=True)),
        ],
        session_s=SHARED_SESSION_S if group else SESSION_S,
        receive_maximum=RECEIVE_MAXIMUM,
        largest_packet=PACKET_BYTES,
        manual_ack=True,
        rng=rng,
    )


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
