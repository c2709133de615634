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
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from paho.mqtt import client as paho
from paho.mqtt.subscribeoptions import SubscribeOptions

from config.settings import Broker
from gateway.broker.link import FOR_ITS_SIZE, LARGEST_PACKET, REFUSED, Incoming, Limits, Link, Will
from gateway.delivery.batching import MAX_BYTES
from gateway.delivery.history_watch import HistoryWatch
from gateway.delivery.in_flight import Outgoing, Window, packet_bytes, spans
from gateway.delivery.inbox import Command, CommandError, carry_out, may_answer_on, refusal
from gateway.delivery.leftover import Leftover, moved_range
from gateway.delivery.receipts import MOST_HISTORIANS, Reach, Union
from gateway.delivery.refusals import LARGE, MAY_PASS, Refusals, words
from gateway.delivery.resend import AFTER_S, Resend
from gateway.delivery.schedule import READ_GAPS, Lanes
from gateway.machine.plain_text import printable
from gateway.model.row import Gap, Row
from gateway.outbox.outbox import Outbox
from gateway.wire.payload import MAX_GAPS, encode_gaps, encode_measurements, encode_records
from gateway.wire.receipt import IMPOSSIBLE, PAYLOAD_VERSION, UNLISTED, UNSIGNED, HistorianNotice, Receipt
from gateway.wire.receipt_key import ReceiptKey
from gateway.wire.status_pages import cut
from gateway.wire.topics import Topics, kind_of

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
HEAD_BYTES = 512
"""Of a message beside its rows: topic, properties, and what is said of all its rows."""
LEAST_PACKET = 1024
"""Every measurement fits into so many bytes. What alone takes more, and is too large for a broker, is given up with a
gap; a broker that takes less is not fit for us, and nothing is given up for its sake."""
LARGEST_STATUS = 512 * 1024
"""Bytes of a status in one message, whatever the broker takes."""
ENDED_MOST = 3
"""Connections that one row may end, by its size, before it is given up."""
LEARNT_S = 3600.0
"""A limit that a broker did not name, and let us find out, is believed for so long."""
RECEIPTS_MOST = 4 * MOST_HISTORIANS
"""Receipts that wait to be looked at: the newest of each historian for each life of the outbox."""
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
        refused: What the broker does not take, by kind of message: how often (``count``) and ``why``.
        pages: Parts that the status is cut into, beside the topic's own message; 0 where it fits whole.
        turn: Monotonic time of the thread's last turn, for the watchdog.
        historians: What the historians have to tell: of each notice its code, what it is about, and a sentence.
    """

    connected: bool = False
    under_way: int = 0
    sent: int = 0
    resent: int = 0
    backlog: int = 0
    taken: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    last_error: str = ""
    refused: dict[str, dict[str, Any]] = field(default_factory=dict)
    pages: int = 0
    turn: float = 0.0
    historians: list[tuple[str, str, str]] = field(default_factory=list)


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
        historians: Whose receipts are believed: ids of historians that share, or an empty one for the historian that
            shares with nobody.
        receipt_key: With it only receipts that are signed count.
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
        historians: Sequence[str] = ("",),
        receipt_key: ReceiptKey | None = None,
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
        self._historians = frozenset(historians)
        self._receipt_key = receipt_key
        self._notices: dict[str, tuple[HistorianNotice, ...]] = {}  # by historian
        self._resend_after_s = resend_after_s
        self._clock = clock
        self._wake = threading.Condition()
        self._woken = self._stopping = False
        self._errors: Counter[str] = Counter()
        # Filled by other threads. The events are bounded by what is under way, the rest by what is allowed to wait.
        self._events: deque[Callable[[], None]] = deque()
        self._live: deque[tuple[str, bytes]] = deque()
        self._small: deque[Outgoing] = deque()
        self._status: dict[str, Any] | None = None
        self._told: dict[tuple[str, str], tuple[Receipt, bool]] = {}  # by historian and epoch; guarded by _wake
        self._pictures: dict[str, bytes] = {}  # retained, newest wins, by topic
        self._ward: bytes | None = None  # the newest: a broker that was away may have forgotten it
        # The publisher's own thread only.
        self._connection: int | None = None
        self._named = self._largest = self._learnt = LARGEST_PACKET  # bytes of a packet: said, used, found out
        self._learnt_until = 0.0
        self._refusals = Refusals()
        self._status_parts: deque[Outgoing] = deque()
        self._pages = 0
        self._live_under_way: deque[paho.MQTTMessageInfo] = deque()
        self._gaps_told: dict[str, int] | None = None
        self._gaps_at = 0.0
        self._sent = self._resent = 0
        self._lanes = self._new_lanes()
        self._union = Union()
        # The highest number of this epoch that was handed to a broker by this run, now and before this connection.
        self._sent_upto = self._sent_before = 0
        self._leftovers: dict[str, Leftover] = {}
        self._history = HistoryWatch(outbox)
        self._lapse_look = 0.0
        self._state = PublisherState()
        self._offline = {"v": PAYLOAD_VERSION, "gateway": topics.gateway, "state": "offline"}
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
            will=Will(topics.status, orjson.dumps(self._offline)),
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
        self._status = status
        self.notify()

    def set_curves(self, slot: str, payload: bytes) -> None:
        """Publish the mean curves of a slot's joints, retained; newer ones replace what has not been sent yet."""
        self._pictures[self._topics.cycles(slot)] = payload
        self.notify()

    def set_ward(self, payload: bytes) -> None:
        """Publish who is in which bed, retained; a newer one replaces one that has not been sent yet."""
        self._ward = self._pictures[self._topics.ward] = payload
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
        if historian not in self._historians:
            self._note(UNLISTED, printable(message.topic))
            return
        if self._receipt_key is not None and not self._receipt_key.is_signed(message.topic, message.payload):
            self._note(UNSIGNED, message.topic)
            return
        try:
            receipt = Receipt.decode(message.payload)
        except ValueError as error:
            self._note("bad receipt", str(error))
            return
        with self._wake:
            if (historian, receipt.epoch) in self._told or len(self._told) < RECEIPTS_MOST:
                self._told[historian, receipt.epoch] = receipt, message.retained
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
            if self._outbox.fact(f"moved {self._lanes.epoch}"):
                # Its rows are elsewhere on disk, some under other numbers: none may go as what it was.
                self._lanes.drain()
                self._lanes.gaps(READ_GAPS)
                self._window.forget(self._lanes.epoch)
            while gaps := self._lanes.gaps(MAX_GAPS):
                self._window.once_more(self._telling(gaps))
            for rows in self._lanes.drain():
                self._window.once_more(self._carrying(rows))
            self._resent += self._lanes.resent
            self._lanes, self._union, self._gaps_told = self._new_lanes(), Union(), None
            self._sent_upto = self._sent_before = 0
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
            self._lanes.backlog, self._lanes.taken_upto, dict(errors), self._link.last_error, self._refusals.status(),
            self._pages, now, [(each.code, each.about, each.text) for told in self._notices.values() for each in told],
        )  # fmt: skip

    def _take_receipts(self, now: float) -> None:
        with self._wake:
            told, self._told = self._told, {}
        for (historian, epoch), (receipt, retained) in told.items():
            self._notices[historian] = receipt.notices
            if epoch == self._lanes.epoch:
                self._take_receipt(historian, receipt, now, retained=retained)
            elif leftover := self._leftovers.get(epoch):
                leftover.receipt(historian, receipt, now, retained=retained)
            elif not self._outbox.settled:
                with self._wake:  # it may turn out to be of what is just being opened
                    self._told.setdefault((historian, epoch), (receipt, retained))
            elif not self._by_broker:
                self._history.other_epoch(receipt)
        if not told and now < self._lapse_look:
            return
        self._lapse_look = now + LAPSE_LOOK_S
        # Only what is on disk is ever sent, so that no true receipt can speak of more.
        durable = self._outbox.state().durable_seq
        received = self._union.received(now)
        heard = any(epoch == self._lanes.epoch and not retained for (_, epoch), (_, retained) in told.items())
        self._lanes.receipt(received if received.upto <= durable else Reach(durable), now, heard=heard)
        if not self._by_broker:
            self._outbox.release(self._lanes.epoch, min(self._union.stored().upto, durable))

    def _take_receipt(self, historian: str, receipt: Receipt, now: float, *, retained: bool) -> None:
        # What a broker remembers is from before this connection, so it cannot speak of what was sent since.
        sent = self._sent_before if retained else self._sent_upto
        given = max(self._outbox.opened_last, sent)
        durable = self._outbox.state().durable_seq
        if receipt.last > (given if retained else durable):
            # Nobody can have what was never given: the file is an older image of itself, or the receipt is forged.
            if self._receipt_key is None:
                self._note(IMPOSSIBLE, f"{receipt.last} of {durable}")
            if not self._by_broker:
                self._outbox.contradicted(receipt.epoch, receipt.last, given=given)
            return
        if not self._union.take(historian, receipt, now, retained=retained):
            self._note("receipt left out", "too many historians")
        if not self._by_broker:
            self._history.own_epoch(historian, receipt, retained=retained)

    def _send_leftovers(self, now: float) -> None:
        """Send what earlier lives of the outbox have left, a piece of each at a time."""
        for box in self._outbox.earlier:
            if box.epoch not in self._leftovers:
                moved = moved_range(self._outbox.fact(f"moved {box.epoch}"))
                self._leftovers[box.epoch] = Leftover(
                    box, moved=moved, by_broker=self._by_broker, after_s=self._resend_after_s
                )
        for epoch, leftover in list(self._leftovers.items()):
            if leftover.done:
                del self._leftovers[epoch]
                self._outbox.finish_earlier(leftover.box)
                continue
            if self._room() <= self._window.limit // 2:
                return
            for gaps, rows in leftover.piece(now, self._lanes.max_bytes):
                message = self._telling(gaps, epoch) if gaps else self._carrying(rows, epoch)
                leftover.sent(message.numbers)
                self._window.once_more(message)

    def _send_all(self, now: float, *, ending: bool) -> None:
        """Fill the window, the most urgent first."""
        while self._room() and (message := self._window.next_again()):
            self._send(message, now)
        while self._room() and self._small:
            self._send(self._small.popleft(), now)
        self._send_status(now, ending=ending)
        while self._pictures and self._room():
            topic, picture = self._pictures.popitem()
            self._send(Outgoing(topic, picture, retain=True), now)
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
        self._send_leftovers(now)

    def _send_status(self, now: float, *, ending: bool) -> None:
        """Send the newest status whole: the next one is not begun before all pages of this one are out."""
        status = self._status
        if status is not None and (ending or not self._status_parts) and self._room():
            self._status = None
            budget = min(LARGEST_STATUS, self._largest) - packet_bytes(self._topics.status_page("1000"), b"")
            head, pages = cut(status, budget)
            self._pages = len(pages)
            if head.get("left_out"):
                self._refusals.note("status", f"{LARGE}: {', '.join(head['left_out'])}")
            topics = [*(self._topics.status_page(str(page["page"])) for page in pages), self._topics.status]
            self._status_parts = deque(
                Outgoing(topic, orjson.dumps(part), retain=True)
                for topic, part in zip(topics, [*pages, head], strict=True)
            )
        while self._status_parts and self._room():
            self._send(self._status_parts.popleft(), now)

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

    def _telling(self, gaps: Sequence[Gap], epoch: str = "") -> Outgoing:
        epoch, released = self._life(epoch)
        payload = encode_gaps(self._topics.gateway, epoch, released, gaps)
        numbers = tuple((gap.first, gap.last) for gap in gaps)
        return Outgoing(self._topics.gaps, payload, epoch, numbers, parts=tuple(gaps))

    def _send_live(self) -> None:
        while self._live_under_way and self._live_under_way[0].is_published():
            self._live_under_way.popleft()
        while self._live:
            topic, payload = self._live.popleft()
            if len(self._live_under_way) >= LIVE_UNDER_WAY or self._connection is None:
                self._errors["waveform dropped: link busy"] += 1
                continue
            if packet_bytes(topic, payload) > self._largest:
                self._errors["waveform dropped: too large for the broker"] += 1
                self._refusals.note("waveform", LARGE)
                continue
            info = self._link.publish(self._connection, topic, payload, qos=0)
            if info is not None and info.rc == paho.MQTT_ERR_SUCCESS:
                self._live_under_way.append(info)

    def _send(self, message: Outgoing, now: float) -> None:
        assert self._connection is not None
        alone = len(message.parts) == 1  # its size is judged by what becomes of it
        if message.size > (self._named if alone else self._largest) or message.ended >= ENDED_MOST:
            # The broker would end the connection, again and again.
            self._make_smaller(message, now)
            return
        message.sent_at = now
        if message.epoch == self._lanes.epoch:
            self._sent_upto = max([self._sent_upto, *(last for _, last in message.numbers)])
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

    def _make_smaller(self, message: Outgoing, now: float) -> None:
        """Send what is too large for the broker in halves; what cannot be halved is told, and not tried for ever."""
        half = len(message.parts) // 2
        if half:
            halves = [self._again(p, message.epoch) for p in (message.parts[:half], message.parts[half:])]
            for smaller in halves:
                self._window.once_more(smaller)
            if leftover := self._leftovers.get(message.epoch):
                leftover.halved(message.numbers, [smaller.numbers for smaller in halves])
            self._woken = True
            return
        self._note(LARGE, message.topic)
        self._refusals.note(kind_of(message.topic, self._topics), LARGE)
        rows = [part for part in message.parts if isinstance(part, Row)]
        if rows and message.size > LEAST_PACKET:
            leftover = self._leftovers.get(message.epoch)
            (leftover.box if leftover else self._outbox).give_up(message.epoch, rows, LARGE)
            if leftover:
                leftover.acknowledged(message.numbers, now)
        else:
            self._put_off(message, now)

    def _again(self, parts: Sequence[Row] | Sequence[Gap], epoch: str) -> Outgoing:
        rows = [part for part in parts if isinstance(part, Row)]
        return self._carrying(rows, epoch) if rows else self._telling([p for p in parts if isinstance(p, Gap)], epoch)

    def _put_off(self, message: Outgoing, now: float) -> None:
        """Leave rows that are refused in the outbox, and come to them again when receipts have long been missing.

        They must not take the places of those that the broker does take.
        """
        if self._by_broker and message.numbers:
            self._window.later(message, now)
        elif message.epoch == self._lanes.epoch:
            self._lanes.taken(message.numbers, now)

    def _carrying(self, rows: Sequence[Row], epoch: str = "") -> Outgoing:
        epoch, released = self._life(epoch)
        if rows[0].slot:
            topic = self._topics.measurements(rows[0].slot)
            payload = encode_measurements(self._topics.gateway, epoch, released, rows)
        else:
            topic, payload = self._topics.records, encode_records(self._topics.gateway, epoch, released, rows)
        return Outgoing(topic, payload, epoch, spans(rows), parts=tuple(rows))

    def _life(self, epoch: str) -> tuple[str, int]:
        """Return the epoch, the present one if none is named, and what of it has been released."""
        if leftover := self._leftovers.get(epoch):
            return epoch, leftover.box.state().released_seq
        epoch = epoch or self._lanes.epoch
        return epoch, self._outbox.state().released_seq if epoch == self._lanes.epoch else 0

    def _room(self) -> int:
        return 0 if self._connection is None else max(0, self._window.room)

    def _new_lanes(self) -> Lanes:
        resend = Resend(after_s=self._resend_after_s)
        return Lanes(self._outbox, resend=resend, now=self._clock(), receipts=not self._by_broker)

    # Events of the link, carried out on the publisher's thread.

    def _on_connected(self, connection: int, limits: Limits) -> None:
        self._on_lost()
        self._connection, self._sent_before = connection, self._sent_upto
        self._window.allow(limits.receive_maximum)
        if self._clock() >= self._learnt_until:
            self._learnt = LARGEST_PACKET
        self._named = limits.largest_packet
        self._allow_packets(min(self._named, self._learnt))
        self._gaps_told = None
        if self._ward is not None:
            self._pictures.setdefault(self._topics.ward, self._ward)

    def _allow_packets(self, largest: int) -> None:
        self._largest = largest
        self._lanes.max_bytes = max(1, min(MAX_BYTES, largest - HEAD_BYTES))

    def _learn(self, message: Outgoing) -> None:
        """Note that a message ended the connection by its size, though the broker had named no limit for it."""
        message.ended += 1
        if len(message.parts) == 1:
            self._refusals.note(kind_of(message.topic, self._topics), LARGE)
        else:
            self._learnt = min(self._learnt, max(LEAST_PACKET, message.size // 2))
            self._learnt_until = self._clock() + LEARNT_S

    def _on_lost(self, connection: int | None = None, reason: str = "") -> None:
        if connection is not None and self._connection not in (connection, None):
            return
        if any(word in reason for word in FOR_ITS_SIZE) and (largest := self._window.largest()):
            self._learn(largest)
        self._connection = None
        self._status_parts.clear()
        self._window.lost()
        self._live_under_way.clear()
        self._errors["waveform dropped: not connected"] += len(self._live)
        self._live.clear()

    def _on_acknowledged(self, connection: int, number: int, code: int) -> None:
        now = self._clock()
        if connection != self._connection or (message := self._window.acknowledged(number)) is None:
            return
        if code >= REFUSED:
            self._on_refused(message, code, now)
            return
        self._sent += 1
        if message.numbers and message.epoch == self._lanes.epoch:
            self._lanes.taken(message.numbers, now)
            if self._on_taken is not None:
                self._on_taken(message.epoch, message.numbers)
            if self._by_broker:
                self._outbox.release(message.epoch, self._lanes.taken_upto)
        elif message.numbers and (leftover := self._leftovers.get(message.epoch)):
            leftover.acknowledged(message.numbers, now)

    def _on_refused(self, message: Outgoing, code: int, now: float) -> None:
        self._note("refused by the broker", f"{words(code)} ({message.topic})")
        self._refusals.note(kind_of(message.topic, self._topics), words(code))
        if message.retain:
            return  # what is newer comes by itself, and this would take its place
        if code in MAY_PASS:
            self._window.later(message, now)
        else:
            self._put_off(message, now)


class _Inbox:
    """What the link tells, put in line for the publisher's thread."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    def connected(self, connection: int, limits: Limits) -> None:
        self._publisher._post(lambda: self._publisher._on_connected(connection, limits))  # noqa: SLF001 - its own inbox

    def lost(self, connection: int, reason: str) -> None:
        log.info("connection %d lost: %s", connection, reason)
        self._publisher._post(lambda: self._publisher._on_lost(connection, reason))  # noqa: SLF001

    def acknowledged(self, connection: int, number: int, code: int) -> None:
        self._publisher._post(lambda: self._publisher._on_acknowledged(connection, number, code))  # noqa: SLF001

    def arrived(self, message: Incoming) -> None:
        self._publisher._arrived(message)  # noqa: SLF001
