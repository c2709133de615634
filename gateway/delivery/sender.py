"""The publisher's thread, turn by turn: what waits, what is under way, what came back. It alone keeps these books."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence

from paho.mqtt import client as paho

from gateway.broker.link import FOR_ITS_SIZE, REFUSED, Limits, Link
from gateway.delivery.earlier_lives import EarlierLives
from gateway.delivery.in_flight import InFlight, Outgoing
from gateway.delivery.inbox import Acknowledged, Connected, Inbox, Lost
from gateway.delivery.leftover import Leftover, moved_range
from gateway.delivery.messages import message_of
from gateway.delivery.packet_limits import LEAST_PACKET, PacketLimits
from gateway.delivery.present_life import PresentLife
from gateway.delivery.refusals import LARGE, MAY_PASS, Refusals, words
from gateway.delivery.release_policy import ReleasePolicy
from gateway.delivery.schedule import READ_GAPS
from gateway.delivery.side_messages import SideMessages, Waveforms
from gateway.delivery.state import PublisherState
from gateway.machine.fault_counts import FaultCounts
from gateway.model.row import Gap, Row
from gateway.outbox.lives import moved_key
from gateway.outbox.outbox import Outbox
from gateway.wire.payload import MAX_GAPS
from gateway.wire.receipt import HistorianNotice
from gateway.wire.topics import Topics, kind_of

ACK_TIMEOUT_S = 20.0
"""A broker that acknowledges nothing for so long gets a new connection."""
LAPSE_LOOK_S = 10.0
"""Between two looks whether a historian has been silent for too long."""

Taken = Callable[[str, tuple[tuple[int, int], ...]], None]
"""Called with epoch and numbers (ranges, both ends included) that the broker took."""


class Sender:
    """One turn after the other: events, receipts, then as much as both sides allow, the most urgent first.

    Args:
        outbox: Where rows come from.
        topics: This gateway's topics.
        link: The connection to the broker.
        inbox: What came from it.
        side: What goes beside the rows.
        waveforms: What goes at once or not at all.
        policy: When rows leave the outbox.
        faults: What went wrong, by kind.
        refusals: What the broker does not take.
        window: Messages that may be under way, whatever the broker allows.
        new_life: Makes the books of the present life of the outbox.
        resend_after_s: Age at which a piece of an earlier life is sent again.
        on_taken: Is told what the broker took; must be quick.
        again: Has the next turn follow at once.

    Attributes:
        state: How sending went at the end of the last turn.
    """

    def __init__(
        self, outbox: Outbox, topics: Topics, link: Link, *, inbox: Inbox, side: SideMessages, waveforms: Waveforms,
        policy: ReleasePolicy, faults: FaultCounts, refusals: Refusals, window: int,
        new_life: Callable[[], PresentLife], resend_after_s: float, on_taken: Taken | None, again: Callable[[], None],
    ) -> None:  # fmt: skip
        self._outbox, self._topics = outbox, topics
        self._link, self._inbox = link, inbox
        self._side, self._waveforms = side, waveforms
        self._policy = policy
        self._faults, self._refusals = faults, refusals
        self._new_life = new_life
        self._resend_after_s = resend_after_s
        self._on_taken = on_taken
        self._again = again
        self._in_flight = InFlight(window)
        self._limits = PacketLimits()
        self._connection: int | None = None
        self._life = new_life()
        self._earlier_lives = EarlierLives(outbox, after_s=resend_after_s)
        self._leftovers: dict[str, Leftover] = {}  # by epoch
        self._notices: dict[str, tuple[HistorianNotice, ...]] = {}  # by historian
        self._lapse_look = 0.0
        self._sent = self._resent = 0
        self.state = PublisherState()

    @property
    def under_way(self) -> int:
        """Return how many messages the broker may yet acknowledge."""
        return 0 if self._connection is None else len(self._in_flight)

    @property
    def next_due(self) -> float | None:
        """Return when, in monotonic seconds, a live message is due; None if none is."""
        return self._life.schedule.next_due() if self._connection is not None and self._in_flight.room > 0 else None

    def turn(self, now: float, *, ending: bool) -> None:
        """Look at all that has come, and send what may go; ``ending`` sends every live row at once."""
        for event in self._inbox.events():
            match event:
                case Connected(connection, limits):
                    self._on_connected(connection, limits, now)
                case Lost(connection, reason):
                    self._on_lost(connection, reason, now)
                case Acknowledged():
                    self._on_acknowledged(event, now)
        if self._outbox.epoch != self._life.epoch:
            self._change_life()
        self._read_receipts(now)
        self._life.schedule.tick(now)
        self._in_flight.tick(now)
        if self._connection is not None:
            self._send_all(now, ending=ending)
            sent_at = self._in_flight.oldest_sent_at
            if sent_at is not None and now - sent_at > ACK_TIMEOUT_S:
                self._faults.note("no acknowledgement", f"none for {ACK_TIMEOUT_S:.0f} s, connecting again")
                self._link.drop("no acknowledgement")
        schedule = self._life.schedule
        self.state = PublisherState(
            self._connection is not None, len(self._in_flight), self._sent, self._resent + schedule.resent,
            schedule.backlog, schedule.taken_upto, dict(self._faults.counts() + Counter(dict(self._link.errors))),
            self._link.last_error, self._refusals.status(), self._side.pages, now,
            [(each.code, each.about, each.text) for notices in self._notices.values() for each in notices],
        )  # fmt: skip

    def _change_life(self) -> None:
        """Go on with the outbox's new life; what was read of the one before goes first."""
        schedule = self._life.schedule
        if self._outbox.facts.get(moved_key(self._life.epoch)):
            # Its rows are elsewhere on disk, some under other numbers: none may go as what it was.
            schedule.drain()
            schedule.gaps(READ_GAPS)
            self._in_flight.forget(self._life.epoch)
        while gaps := schedule.gaps(MAX_GAPS):
            self._in_flight.once_more(self._message(gaps))
        for rows in schedule.drain():
            self._in_flight.once_more(self._message(rows))
        self._resent += schedule.resent
        self._life = self._new_life()
        self._life.schedule.max_bytes = self._limits.row_bytes

    def _read_receipts(self, now: float) -> None:
        received = self._inbox.receipts()
        for each in received:
            epoch = each.receipt.epoch
            self._notices[each.historian] = each.receipt.notices
            if not each.historian:
                self._earlier_lives.receipt(each.receipt, retained=each.retained)
            if epoch == self._life.epoch:
                self._life.receipt(each.historian, each.receipt, now, retained=each.retained)
            elif leftover := self._leftovers.get(epoch):
                leftover.receipt(each.historian, each.receipt, now, retained=each.retained)
            elif not self._outbox.earlier.settled:
                self._inbox.put_back(each)  # it may turn out to be of what is just being opened
            else:
                self._policy.on_other_receipt(each.receipt)
        if received or now >= self._lapse_look:
            self._lapse_look = now + LAPSE_LOOK_S
            heard = any(each.receipt.epoch == self._life.epoch and not each.retained for each in received)
            self._life.apply_receipts(now, heard=heard)

    # Sending.

    @property
    def _room(self) -> int:
        return 0 if self._connection is None else max(0, self._in_flight.room)

    def _send_all(self, now: float, *, ending: bool) -> None:
        """Fill the window, the most urgent first."""
        schedule = self._life.schedule
        while self._room and (message := self._in_flight.next_again()):
            self._send(message, now)
        while self._room and (message := self._side.next_message(self._limits.largest, ending=ending)):
            self._send(message, now)
        # In this order: once the new life has begun, and perhaps it has since receipts were read, no life ends.
        if self._outbox.life_ends or self._outbox.epoch != self._life.epoch:
            return
        if ending:
            while self._room and (rows := schedule.live(math.inf)):  # no row waits for its slot's second any more
                self._send(self._message(rows), now)
            return
        if self._room and (gaps := self._life.gaps_behind(now)):
            self._send(self._message(gaps), now)
        while self._room and (rows := schedule.live(now)):
            self._send(self._message(rows), now)
        self._send_gaps_between(now)
        self._waveforms.send(self._link, self._connection, self._limits.largest)
        self._life.look_for_missing(now)
        # Half the window stays free for what is live.
        while self._room > self._in_flight.limit // 2 and (rows := schedule.old(now)):
            self._send(self._message(rows), now)
        self._send_gaps_between(now)
        self._send_leftovers(now)
        for epoch, upto in self._earlier_lives.due(now) if self._policy.by_receipt else ():
            self._in_flight.once_more(message_of(self._topics, (), epoch=epoch, released=upto))

    def _send_gaps_between(self, now: float) -> None:
        while self._room and (gaps := self._life.schedule.gaps(MAX_GAPS)):
            self._send(self._message(gaps), now)

    def _send_leftovers(self, now: float) -> None:
        """Send what earlier lives of the outbox have left, a piece of each at a time."""
        by_broker = not self._policy.by_receipt
        for box in self._outbox.earlier.outboxes:
            if box.epoch not in self._leftovers:
                moved = moved_range(self._outbox.facts.get(moved_key(box.epoch)))
                self._leftovers[box.epoch] = Leftover(
                    box, moved=moved, by_broker=by_broker, after_s=self._resend_after_s
                )
        for epoch, leftover in list(self._leftovers.items()):
            if leftover.done:
                del self._leftovers[epoch]
                self._outbox.earlier.finish(leftover.box)
                continue
            if self._room <= self._in_flight.limit // 2:
                return
            for gaps, rows in leftover.piece(now, self._limits.row_bytes):
                message = self._message(gaps or rows, epoch)
                leftover.sent(message.numbers)
                self._in_flight.once_more(message)

    def _message(self, parts: Sequence[Row] | Sequence[Gap], epoch: str = "") -> Outgoing:
        """Return the message of rows or gaps of an epoch; of the present one if none is named."""
        if leftover := self._leftovers.get(epoch):
            released = leftover.box.state().released_seq
        else:
            epoch = epoch or self._life.epoch
            released = self._outbox.state().released_seq if epoch == self._life.epoch else 0
        return message_of(self._topics, parts, epoch=epoch, released=released)

    def _send(self, message: Outgoing, now: float) -> None:
        assert self._connection is not None
        if message.epoch == self._life.epoch:
            self._life.sent(message.numbers)  # or its halves are, whatever is known of this life by then
        if self._limits.is_too_large(message):
            self._make_smaller(message, now)
            return
        message.sent_at = now
        info = self._link.publish(
            self._connection, message.topic, message.payload, qos=1, retain=message.retain,
            correlation=message.correlation,
        )  # fmt: skip
        if info is None:
            # The connection just ended; the event that says so is on its way.
            self._in_flight.once_more(message)
            self._connection = None
        elif info.rc == paho.MQTT_ERR_QUEUE_SIZE:
            # Paho's numbers have gone round and met one that is still under way.
            self._in_flight.once_more(message)
        else:
            self._in_flight.put(info.mid, message)

    def _make_smaller(self, message: Outgoing, now: float) -> None:
        """Send what is too large for the broker in halves; what cannot be halved is told, and not tried for ever."""
        leftover = self._leftovers.get(message.epoch)
        if half := len(message.parts) // 2:
            halves = [self._message(parts, message.epoch) for parts in (message.parts[:half], message.parts[half:])]
            for smaller in halves:
                self._in_flight.once_more(smaller)
            if leftover:
                leftover.halved(message.numbers, [smaller.numbers for smaller in halves])
            self._again()
            return
        self._faults.note(LARGE, message.topic)
        self._refusals.note(kind_of(message.topic, self._topics), LARGE)
        rows = [part for part in message.parts if isinstance(part, Row)]
        if rows and message.size > LEAST_PACKET:
            (leftover.box if leftover else self._outbox).give_up(message.epoch, rows, LARGE)
            if leftover:
                leftover.acknowledged(message.numbers, now)
        else:
            self._put_off(message, now)

    def _put_off(self, message: Outgoing, now: float) -> None:
        """Leave rows that are refused in the outbox, and come to them again when receipts have long been missing.

        They must not take the places of those that the broker does take.
        """
        if message.numbers and not self._policy.by_receipt:
            self._in_flight.later(message, now)
        elif message.epoch == self._life.epoch:
            self._life.schedule.acknowledged(message.numbers, now)

    # Events of the link.

    def _on_connected(self, connection: int, limits: Limits, now: float) -> None:
        self._on_lost(None, "", now)
        self._connection = connection
        self._life.connected()
        self._in_flight.allow(limits.receive_maximum)
        self._limits.connected(limits.largest_packet, now)
        self._life.schedule.max_bytes = self._limits.row_bytes
        self._side.connected()

    def _on_lost(self, connection: int | None, reason: str, now: float) -> None:
        if connection is not None and self._connection not in (connection, None):
            return
        if any(word in reason for word in FOR_ITS_SIZE) and (largest := self._in_flight.largest()):
            largest.ended += 1
            if len(largest.parts) == 1:
                self._refusals.note(kind_of(largest.topic, self._topics), LARGE)
            else:
                self._limits.learn(largest.size, now)
        self._connection = None
        self._side.lost()
        self._in_flight.lost()
        self._waveforms.lost()

    def _on_acknowledged(self, event: Acknowledged, now: float) -> None:
        if event.connection != self._connection or (message := self._in_flight.acknowledged(event.number)) is None:
            return
        if event.code >= REFUSED:
            self._on_refused(message, event.code, now)
            return
        self._sent += 1
        if message.numbers and message.epoch == self._life.epoch:
            self._life.acknowledged(message.numbers, now)
            if self._on_taken is not None:
                self._on_taken(message.epoch, message.numbers)
        elif message.numbers and (leftover := self._leftovers.get(message.epoch)):
            leftover.acknowledged(message.numbers, now)

    def _on_refused(self, message: Outgoing, code: int, now: float) -> None:
        self._faults.note("refused by the broker", f"{words(code)} ({message.topic})")
        self._refusals.note(kind_of(message.topic, self._topics), words(code))
        if message.retain:
            return  # what is newer comes by itself, and this would take its place
        if code in MAY_PASS:
            self._in_flight.later(message, now)
        else:
            self._put_off(message, now)
