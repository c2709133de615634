"""From the outbox to the broker: in order, never more under way than both sides allow, live data before old.

One thread keeps all the books: which rows wait, which messages are under way, which came back. The link's threads only
put events into its inbox. What was under way when a connection broke is sent again from here, never by paho.
"""

from __future__ import annotations

import logging
import math
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from paho.mqtt import client as paho
from paho.mqtt.subscribeoptions import SubscribeOptions

from config.settings import Broker
from gateway.broker.link import REFUSED, Incoming, Limits, Link, Will
from gateway.delivery.batching import MAX_BYTES
from gateway.delivery.in_flight import Outgoing, Window, spans
from gateway.delivery.inbox import Command, CommandError, carry_out, may_answer_on, refusal
from gateway.delivery.receipts import MOST_HISTORIANS, Reach, Union
from gateway.delivery.resend import AFTER_S, Resend
from gateway.delivery.schedule import Lanes
from gateway.model.row import Gap, Row
from gateway.outbox.outbox import Outbox
from gateway.wire.payload import MAX_GAPS, encode_gaps, encode_measurements, encode_records
from gateway.wire.receipt import PAYLOAD_VERSION, Receipt
from gateway.wire.topics import Topics

log = logging.getLogger(__name__)

ACK_TIMEOUT_S = 20.0
"""A broker that acknowledges nothing for so long gets a new connection."""
LIVE_MAX = 256
"""Waveform messages that wait; each is some hundred milliseconds of one stream."""
LIVE_UNDER_WAY = 64
"""Waveform messages handed to paho and not yet on the wire: a slow link must not fill the memory."""
SMALL_MAX = 64
"""Notices, and answers to commands, that wait."""
GAPS_S = 0.2
"""Least time between two messages about gaps behind the rows: a full outbox makes new ones with every commit."""
IDLE_S = 0.5
"""Longest sleep: bounds every timer here, and shows the watchdog that the thread lives."""
PACKET_MARGIN = 4096
"""Bytes of the broker's largest packet kept free: topic, properties, and the row that crosses the line."""
LAPSE_LOOK_S = 10.0
"""Between two looks whether a historian has been silent for too long."""
STOP_S = 1.0
"""Wait at the end for the broker to take what is under way; the outbox keeps the rest."""


@dataclass(frozen=True, slots=True)
class PublisherState:
    """How sending goes.

    Attributes:
        connected: Whether a broker has accepted us.
        under_way: Messages without the broker's acknowledgement.
        sent: Messages that it took.
        resent: Rows that were sent again since no receipt covered them.
        backlog: Old rows that wait behind the live ones, about.
        taken: Everything up to this number was taken by the broker, or is a gap that it was told.
        errors: What went wrong, by kind.
        last_error: Why the last connection ended.
        turn: Monotonic time of the thread's last turn, for the watchdog.
    """

    connected: bool = False
    under_way: int = 0
    sent: int = 0
    resent: int = 0
    backlog: int = 0
    taken: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    last_error: str = ""
    turn: float = 0.0


class Publisher:
    """Send what the outbox holds, and status, notices and waveforms beside it; answer commands; take receipts.

    Args:
        outbox: Where measurements come from, and whom receipts release.
        topics: This gateway's topics.
        broker: Where to, and how many messages may be under way.
        release: ``stored``: rows leave with the historian's receipt; ``broker``: with the broker's acknowledgement.
        on_command: Called on the network thread with name and payload of a command; what it returns is the answer.
            A ValueError, KeyError, TypeError or RuntimeError from it becomes an answer that says no. Answers never
            go to topics of this gateway: a response topic lies outside ``rehab/v1/<site>/<gateway>/``.
        on_obeyed: Called on the network thread with every command and its answer, for the audit.
        on_taken: Called on the publisher's thread with epoch and numbers (ranges, both ends included) that the broker
            took; must be quick.
        resend_after_s: Age at which a row that the broker took, and no receipt covers, is sent again.
        rng: Source of jitter.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        outbox: Outbox,
        topics: Topics,
        broker: Broker,
        *,
        release: str = "stored",
        on_command: Command | None = None,
        on_obeyed: Callable[[Incoming, dict[str, Any]], None] | None = None,
        on_taken: Callable[[str, tuple[tuple[int, int], ...]], None] | None = None,
        resend_after_s: float = AFTER_S,
        rng: random.Random | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._outbox = outbox
        self._topics = topics
        self._window = Window(broker.window)
        self._by_broker = release == "broker"
        self._on_command = on_command
        self._on_obeyed = on_obeyed
        self._on_taken = on_taken
        self._resend_after_s = resend_after_s
        self._clock = clock
        self._wake = threading.Condition()
        self._woken = self._stopping = False
        self._errors: Counter[str] = Counter()
        # Filled by other threads. The events are bounded by what is under way, the rest by what is allowed to wait.
        self._events: deque[Callable[[], None]] = deque()
        self._live: deque[tuple[str, bytes]] = deque()
        self._small: deque[Outgoing] = deque()
        self._status: bytes | None = None
        self._told: dict[str, tuple[Receipt, bool]] = {}  # by historian; guarded by _wake
        self._curves: dict[str, bytes] = {}  # by slot
        # The publisher's own thread only.
        self._connection: int | None = None
        self._limits = Limits()
        self._live_under_way: deque[paho.MQTTMessageInfo] = deque()
        self._gaps_told: dict[str, int] | None = None
        self._gaps_at = 0.0
        self._sent = self._resent = 0
        self._lanes = self._new_lanes()
        self._union = Union()
        self._lapse_look = 0.0
        self._state = PublisherState()
        self._offline = orjson.dumps({"v": PAYLOAD_VERSION, "gateway": topics.gateway, "state": "offline"})
        self._link = Link(
            broker,
            client_id=f"rehab-{topics.site}-{topics.gateway}",
            handler=_Inbox(self),
            subscriptions=[
                (topics.stored, SubscribeOptions(qos=1)),
                (topics.stored_by(), SubscribeOptions(qos=1)),
                # A retained command would be carried out again and again.
                (topics.command(), SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND)),
            ],
            will=Will(topics.status, self._offline),
            rng=rng,
        )
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    # For the gateway, from any thread.

    def start(self) -> None:
        """Begin to connect and to send."""
        self._outbox.subscribe(self.notify)
        self._thread.start()
        self._link.start()

    def stop(self) -> None:
        """Say offline, give the broker a moment to take what is under way, disconnect."""
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        self._thread.join()
        self._link.stop()

    def set_status(self, status: dict[str, Any]) -> None:
        """Publish a status, retained; a newer one replaces one that has not been sent yet."""
        self._status = orjson.dumps(status)
        self.notify()

    def set_curves(self, slot: str, payload: bytes) -> None:
        """Publish the mean curves of a slot's joints, retained; newer ones replace what has not been sent yet."""
        self._curves[slot] = payload
        self.notify()

    def publish_notice(self, notice: dict[str, Any]) -> None:
        """Publish something that staff should look at; dropped and counted when too many wait."""
        self._queue_small(Outgoing(self._topics.notices, orjson.dumps(notice)), "notice dropped")

    def publish_live(self, topic: str, payload: bytes) -> None:
        """Publish a waveform with QoS 0: at once or not at all; what is dropped is counted."""
        if not self._link.connected:
            self._errors["waveform dropped: not connected"] += 1
        elif len(self._live) >= LIVE_MAX:
            self._errors["waveform dropped: link busy"] += 1
        else:
            self._live.append((topic, payload))
            self.notify()

    def state(self) -> PublisherState:
        """Return how sending goes."""
        return self._state

    def notify(self) -> None:
        """Have the thread look at what there is to do."""
        with self._wake:
            self._woken = True
            self._wake.notify_all()

    # From the link's threads.

    def _post(self, event: Callable[[], None]) -> None:
        self._events.append(event)
        self.notify()

    def _arrived(self, message: Incoming) -> None:
        if message.topic == self._topics.stored or message.topic.startswith(self._topics.stored_by("")):
            self._heard(message)
        elif message.topic.startswith(self._topics.command("")):
            self._obey(message)

    def _heard(self, message: Incoming) -> None:
        historian = message.topic.removeprefix(self._topics.stored).removeprefix("/")
        try:
            receipt = Receipt.decode(message.payload)
        except ValueError as error:
            self._note("bad receipt", str(error))
            return
        with self._wake:
            if historian in self._told or len(self._told) < MOST_HISTORIANS:
                self._told[historian] = receipt, message.retained
        self.notify()

    def _obey(self, message: Incoming) -> None:
        try:
            answer = carry_out(message, self._topics, self._on_command)
        except CommandError as error:
            self._note("bad command", f"{message.topic}: {error}")
            answer = refusal(error)
        if self._on_obeyed is not None:
            self._on_obeyed(message, answer)
        if may_answer_on(message.response_topic, self._topics):
            reply = Outgoing(message.response_topic, orjson.dumps(answer), correlation=message.correlation)
            self._queue_small(reply, "answer dropped")

    def _queue_small(self, message: Outgoing, dropped: str) -> None:
        if len(self._small) >= SMALL_MAX:
            self._errors[dropped] += 1
        else:
            self._small.append(message)
            self.notify()

    def _note(self, kind: str, what: str) -> None:
        """Count, and log the first of its kind."""
        self._errors[kind] += 1
        if self._errors[kind] == 1:
            log.warning("%s: %s (further ones are only counted)", kind, what)

    # The publisher's own thread.

    def _run(self) -> None:
        ended_by = None
        while ended_by is None or (len(self._window) and self._connection is not None and self._clock() < ended_by):
            with self._wake:
                if not self._woken and not (self._stopping and ended_by is None):
                    self._wake.wait(self._sleep_s())
                self._woken = False
                if self._stopping and ended_by is None:
                    ended_by = self._clock() + STOP_S
                    self._status = self._offline
            try:
                self._turn(self._clock(), ending=ended_by is not None)
            except Exception:  # the supervisor of this thread: one bad turn must not be the last
                self._errors["publisher"] += 1
                log.exception("a turn of the publisher failed")

    def _sleep_s(self) -> float:
        if self._stopping:
            return STOP_S / 20
        due = self._lanes.next_due() if self._connection is not None and self._window.room > 0 else None
        if due is None:
            return IDLE_S
        return min(IDLE_S, max(0.0, due - self._clock()))

    def _turn(self, now: float, *, ending: bool) -> None:
        while self._events:
            self._events.popleft()()
        if self._outbox.epoch != self._lanes.epoch:
            while gaps := self._lanes.gaps(MAX_GAPS):
                self._window.once_more(self._telling(gaps))
            for rows in self._lanes.drain():
                self._window.once_more(self._carrying(rows))
            self._resent += self._lanes.resent
            self._lanes, self._union, self._gaps_told = self._new_lanes(), Union(), None
        self._take_receipts(now)
        self._lanes.tick(now)
        self._window.tick(now)
        if self._connection is not None:
            self._send_all(now, ending=ending)
            sent_at = self._window.oldest_sent_at
            if sent_at is not None and now - sent_at > ACK_TIMEOUT_S:
                self._note("no acknowledgement", f"none for {ACK_TIMEOUT_S:.0f} s, connecting again")
                self._link.drop("no acknowledgement")
        # Copied as plain dictionaries: other threads count meanwhile.
        errors = Counter(dict(self._errors)) + Counter(dict(self._link.errors))
        self._state = PublisherState(
            self._connection is not None, len(self._window), self._sent, self._resent + self._lanes.resent,
            self._lanes.backlog, self._lanes.taken_upto, dict(errors), self._link.last_error, now,
        )  # fmt: skip

    def _take_receipts(self, now: float) -> None:
        with self._wake:
            told, self._told = self._told, {}
        for historian, (receipt, retained) in told.items():
            if receipt.epoch == self._lanes.epoch and not self._union.take(historian, receipt, now, retained=retained):
                self._note("receipt left out", "too many historians")
        if not told and now < self._lapse_look:
            return
        self._lapse_look = now + LAPSE_LOOK_S
        durable = self._outbox.state().durable_seq
        received = self._union.received(now)
        self._lanes.receipt(received if received.upto <= durable else Reach(durable), now)
        if not self._by_broker:
            self._outbox.release(self._lanes.epoch, min(self._union.stored().upto, durable))

    def _send_all(self, now: float, *, ending: bool) -> None:
        """Fill the window, the most urgent first."""
        while self._room() and (message := self._window.next_again()):
            self._send(message, now)
        while self._room() and self._small:
            self._send(self._small.popleft(), now)
        if self._status is not None and self._room():
            status, self._status = self._status, None
            self._send(Outgoing(self._topics.status, status, retain=True), now)
        while self._curves and self._room():
            slot, curves = self._curves.popitem()
            self._send(Outgoing(self._topics.cycles(slot), curves, retain=True), now)
        if ending:
            while self._room() and (rows := self._lanes.live(math.inf)):  # no row waits for its slot's second any more
                self._send(self._carrying(rows), now)
            return
        self._send_gaps(now)
        while self._room() and (rows := self._lanes.live(now)):
            self._send(self._carrying(rows), now)
        self._send_gaps_between(now)
        self._send_live()
        if not self._by_broker and self._lanes.again(now):
            self._gaps_told = None
        # Half the window stays free for what is live.
        while self._room() > self._window.limit // 2 and (rows := self._lanes.old(now)):
            self._send(self._carrying(rows), now)
        self._send_gaps_between(now)

    def _send_gaps(self, now: float) -> None:
        """Tell gaps among what was read before: rows that had to go, or were spoilt."""
        dropped = self._outbox.state().dropped
        if not self._room() or now < self._gaps_at or dropped == (self._gaps_told or {}):
            return
        gaps = self._lanes.gaps_behind(MAX_GAPS)
        self._gaps_at = now + GAPS_S
        if len(gaps) < MAX_GAPS:
            self._gaps_told = dropped
        if gaps:
            self._send(self._telling(gaps), now)

    def _send_gaps_between(self, now: float) -> None:
        while self._room() and (gaps := self._lanes.gaps(MAX_GAPS)):
            self._send(self._telling(gaps), now)

    def _telling(self, gaps: list[Gap]) -> Outgoing:
        epoch, released = self._lanes.epoch, self._outbox.state().released_seq
        payload = encode_gaps(self._topics.gateway, epoch, released, gaps)
        return Outgoing(self._topics.gaps, payload, epoch, tuple((gap.first, gap.last) for gap in gaps))

    def _send_live(self) -> None:
        while self._live_under_way and self._live_under_way[0].is_published():
            self._live_under_way.popleft()
        while self._live:
            topic, payload = self._live.popleft()
            if len(self._live_under_way) >= LIVE_UNDER_WAY or self._connection is None:
                self._errors["waveform dropped: link busy"] += 1
                continue
            info = self._link.publish(self._connection, topic, payload, qos=0)
            if info is not None and info.rc == paho.MQTT_ERR_SUCCESS:
                self._live_under_way.append(info)

    def _send(self, message: Outgoing, now: float) -> None:
        assert self._connection is not None
        if len(message.payload) + PACKET_MARGIN // 2 > self._limits.largest_packet:
            # The broker would end the connection, again and again.
            self._note("too large for the broker", message.topic)
            return
        message.sent_at = now
        info = self._link.publish(
            self._connection, message.topic, message.payload, qos=1, retain=message.retain,
            correlation=message.correlation,
        )  # fmt: skip
        if info is None:
            # The connection just ended; the event that says so is on its way.
            self._window.once_more(message)
            self._connection = None
        elif info.rc == paho.MQTT_ERR_QUEUE_SIZE:
            # Paho's numbers have gone round and met one that is still under way.
            self._window.once_more(message)
        else:
            self._window.put(info.mid, message)

    def _carrying(self, rows: list[Row]) -> Outgoing:
        epoch, released = self._lanes.epoch, self._outbox.state().released_seq
        if not rows[0].slot:
            payload = encode_records(self._topics.gateway, epoch, released, rows)
            return Outgoing(self._topics.records, payload, epoch, spans(rows))
        payload = encode_measurements(self._topics.gateway, epoch, released, rows)
        return Outgoing(self._topics.measurements(rows[0].slot), payload, epoch, spans(rows))

    def _room(self) -> int:
        return 0 if self._connection is None else max(0, self._window.room)

    def _new_lanes(self) -> Lanes:
        resend = Resend(after_s=self._resend_after_s)
        return Lanes(self._outbox, resend=resend, now=self._clock(), receipts=not self._by_broker)

    # Events of the link, carried out on the publisher's thread.

    def _on_connected(self, connection: int, limits: Limits) -> None:
        self._on_lost()
        self._connection, self._limits = connection, limits
        self._window.allow(limits.receive_maximum)
        self._lanes.max_bytes = max(1, min(MAX_BYTES, limits.largest_packet - PACKET_MARGIN))
        self._gaps_told = None

    def _on_lost(self, connection: int | None = None) -> None:
        if connection is not None and self._connection not in (connection, None):
            return
        self._connection = None
        self._window.lost()
        self._live_under_way.clear()
        self._errors["waveform dropped: not connected"] += len(self._live)
        self._live.clear()

    def _on_acknowledged(self, connection: int, number: int, code: int) -> None:
        now = self._clock()
        if connection != self._connection or (message := self._window.acknowledged(number, code, now)) is None:
            return
        if code >= REFUSED:
            self._note("refused by the broker", f"code {code} for {message.topic}")
            return
        self._sent += 1
        if message.numbers and message.epoch == self._lanes.epoch:
            self._lanes.taken(message.numbers, now)
            if self._on_taken is not None:
                self._on_taken(message.epoch, message.numbers)
            if self._by_broker:
                self._outbox.release(message.epoch, self._lanes.taken_upto)


class _Inbox:
    """What the link tells, put in line for the publisher's thread."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    def connected(self, connection: int, limits: Limits) -> None:
        self._publisher._post(lambda: self._publisher._on_connected(connection, limits))  # noqa: SLF001 - its own inbox

    def lost(self, connection: int, reason: str) -> None:
        log.info("connection %d lost: %s", connection, reason)
        self._publisher._post(lambda: self._publisher._on_lost(connection))  # noqa: SLF001

    def acknowledged(self, connection: int, number: int, code: int) -> None:
        self._publisher._post(lambda: self._publisher._on_acknowledged(connection, number, code))  # noqa: SLF001

    def arrived(self, message: Incoming) -> None:
        self._publisher._arrived(message)  # noqa: SLF001
